import type { Bench, Group } from '../group.ts';
import { timing } from '../helpers.ts';
import { mountTree } from '../tree.ts';

const MKDIRS = 1_000;

export const create: Group = {
  name: 'create',
  title: 'Making and starting one',
  method:
    'One process, by system calls; medians. Start is mkdir(2) and writing `running` to `.state`, which returns when ' +
    'init runs in its namespaces and its mount tree; kill + remove is what `rm -rf` does, until rmdir(2) has returned. The daemon has ' +
    'made and removed 100 before.',
  async *measure({ helpers, quick }: Bench) {
    await using tree = await mountTree();
    await helpers.client('mkdir', tree.dir, MKDIRS, { name: 'warm' });
    await helpers.client('rmdir', tree.dir, MKDIRS, { name: 'warm' });
    const mkdir = timing(await helpers.client('mkdir', tree.dir, MKDIRS), 'mkdir');
    yield {
      what: 'mkdir',
      unit: 'µs',
      ours: mkdir.medianNs / 1e3,
      atMost: { of: 'ours', limit: 500 },
      note: `median of ${MKDIRS}; with those that waited, ${(mkdir.totalNs / mkdir.count / 1e3).toFixed(0)} µs on average`,
    };
    await helpers.client('cycle', tree.dir, 100, { name: 'c' });
    const cycles = await helpers.client('cycle', tree.dir, quick ? 50 : 200, { name: 'c' });
    const start = timing(cycles, 'start');
    const remove = timing(cycles, 'remove');
    yield {
      what: 'create + start, without net',
      unit: 'ms',
      ours: start.medianNs / 1e6,
      atMost: { of: 'ours', limit: 4 },
      note: `on average ${(start.totalNs / start.count / 1e6).toFixed(2)} ms`,
    };
    yield { what: 'kill + remove', unit: 'ms', ours: remove.medianNs / 1e6 };
  },
};
