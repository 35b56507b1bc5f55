import type { Bench, Group } from '../group.ts';
import { timing, type Helpers } from '../helpers.ts';
import { median } from '../statistics.ts';
import { mountTree } from '../tree.ts';

const CONTAINERS = 1_000;

const NS_PER_S = 1e9;
const MS_PER_S = 1e3;

/** Makers at once, as a job system has them. */
const MAKERS = ['a', 'b', 'c', 'd'];

export const thousand: Group = {
  name: 'thousand',
  title: 'A thousand running containers',
  method:
    'Made and started in one container: by one process, one after the other, and by four processes at once, a quarter ' +
    'each, until the last is done; removed by one `rm -rf` of that container (GNU coreutils). The first round, of a daemon ' +
    'that is new, is shown and not counted.',
  async *measure({ helpers, quick }: Bench) {
    await using tree = await mountTree();
    const [alone, together, removed]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < 1 + (quick ? 1 : 3); round++) {
      await helpers.client('mkdir', tree.dir, 1, { name: 'all' });
      const started = timing(await helpers.client('start', `${tree.dir}/all0`, CONTAINERS), 'start');
      alone.push(started.totalNs / NS_PER_S);
      removed.push(await removal(helpers, tree.dir));
      await helpers.client('mkdir', tree.dir, 1, { name: 'all' });
      const begun = performance.now();
      await Promise.all(
        MAKERS.map((name) => helpers.client('start', `${tree.dir}/all0`, CONTAINERS / MAKERS.length, { name })),
      );
      together.push((performance.now() - begun) / MS_PER_S);
      removed.push(await removal(helpers, tree.dir));
    }
    const [firstAlone = NaN, ...laterAlone] = alone;
    const [firstTogether = NaN, ...laterTogether] = together;
    const [firstRemoved = NaN, , ...laterRemoved] = removed;
    const create = 'mkdir + start of 1,000';
    const remove = 'rm -rf of 1,000 running';
    const createLimit = { of: 'ours', limit: 2 } as const;
    yield { what: `${create}, by one`, unit: 's', ours: median(laterAlone), atMost: createLimit };
    yield { what: `${create}, by four at once`, unit: 's', ours: median(laterTogether), atMost: createLimit };
    yield { what: remove, unit: 's', ours: median(laterRemoved), atMost: { of: 'ours', limit: 1.5 } };
    yield { what: `${create}, by one, by a new daemon`, unit: 's', ours: firstAlone };
    yield { what: `${create}, by four at once, second of a new daemon`, unit: 's', ours: firstTogether };
    yield { what: `${remove}, by a new daemon`, unit: 's', ours: firstRemoved };
  },
};

/** How long one `rm -rf` of them all takes, in seconds. */
async function removal(helpers: Helpers, dir: string): Promise<number> {
  return timing(await helpers.cycle(1, 9, ['--stop', 'rm', '-rf', `${dir}/all0`]), 'remove').totalNs / NS_PER_S;
}
