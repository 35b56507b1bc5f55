import type { Bench, Group } from '../group.ts';
import { timing } from '../helpers.ts';
import { median } from '../statistics.ts';
import { mountTree } from '../tree.ts';

const CONTAINERS = 1_000;

export const thousand: Group = {
  name: 'thousand',
  title: 'A thousand running containers',
  method:
    'Made and started in one container by one process, one after the other; removed by one `rm -rf` of that container ' +
    '(GNU coreutils). The first round, of a daemon that is new, is shown and not counted.',
  async *measure({ helpers, quick }: Bench) {
    await using tree = await mountTree();
    const [created, removed]: [number[], number[]] = [[], []];
    for (let round = 0; round < 1 + (quick ? 1 : 3); round++) {
      await helpers.client('mkdir', tree.dir, 1, { name: 'all' });
      const started = timing(await helpers.client('start', `${tree.dir}/all0`, CONTAINERS), 'start');
      created.push(started.totalNs / 1e9);
      const gone = timing(await helpers.cycle(1, 9, ['--stop', 'rm', '-rf', `${tree.dir}/all0`]), 'remove');
      removed.push(gone.totalNs / 1e9);
    }
    const [firstCreated = NaN, ...laterCreated] = created;
    const [firstRemoved = NaN, ...laterRemoved] = removed;
    const [create, remove] = ['mkdir + start of 1,000', 'rm -rf of 1,000 running'];
    yield { what: create, unit: 's', ours: median(laterCreated), atMost: { of: 'ours', limit: 2 } };
    yield { what: remove, unit: 's', ours: median(laterRemoved), atMost: { of: 'ours', limit: 1.5 } };
    yield { what: `${create}, by a new daemon`, unit: 's', ours: firstCreated };
    yield { what: `${remove}, by a new daemon`, unit: 's', ours: firstRemoved };
  },
};
