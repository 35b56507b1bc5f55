import type { Bench, Group } from '../group.ts';
import { timing } from '../helpers.ts';
import { CORE, pin } from '../pin.ts';
import { median, medianRatio } from '../statistics.ts';
import { mountTree } from '../tree.ts';

const FEW = 100;
const MANY = 10_000;
const AT_MOST = { of: 'ratio', limit: 1.2 } as const;

/** In this order in every round: each undoes or needs what was before. `name` as the client takes it. */
const OPERATIONS = [
  { operation: 'getattr', below: '/running0', name: '.state', what: 'GETATTR, not cached' },
  { operation: 'absent', below: '', name: 'absent', what: 'LOOKUP of an absent name' },
  { operation: 'mkdir', below: '', name: 'x', what: 'mkdir' },
  { operation: 'rename', below: '', name: 'x', what: 'rename' },
  { operation: 'rmdir', below: '', name: 'renamed', what: 'rmdir' },
  { operation: 'cycle', below: '', name: 'y', what: 'mkdir + start' },
] as const;

const CYCLES = 20;

export const scale: Group = {
  name: 'scale',
  title: 'The same operation among 10,000 containers and among 100',
  method:
    'Two trees mounted at once; the operations in their roots, in turns, so that both daemons are equally long at work; clients and ' +
    'daemons on one core. ' +
    'The peer is the tree of 100.',
  async *measure({ helpers, quick }: Bench) {
    await using few = await mountTree();
    await using many = await mountTree();
    for (const { dir } of [few, many]) {
      // Both daemons have done as much, and have compiled what they run often.
      await helpers.client('mkdir', dir, MANY);
      await helpers.client('start', dir, 1, { name: 'running' });
    }
    await helpers.client('rmdir', few.dir, MANY);
    await helpers.client('mkdir', few.dir, FEW);

    for (const tree of [few, many]) await pin(tree.daemonPid());
    const rounds = quick ? 5 : 15;
    const samples = OPERATIONS.map((row) => ({ ...row, ours: [] as number[], theirs: [] as number[] }));
    for (let round = 0; round < rounds; round++) {
      for (const { operation, below, name, ours, theirs } of samples) {
        const count = operation === 'cycle' ? CYCLES : 500;
        const label = operation === 'cycle' ? 'start' : operation;
        const once = async (dir: string) => {
          return (
            timing(await helpers.client(operation, dir + below, count, { name, core: CORE }), label).medianNs / 1e3
          );
        };
        ours.push(await once(many.dir));
        theirs.push(await once(few.dir));
      }
    }
    for (const { what, ours, theirs } of samples) {
      const values = { ours: median(ours), theirs: median(theirs), ratio: medianRatio(ours, theirs) };
      yield { what, unit: 'µs', peer: `among ${FEW}`, ...values, atMost: AT_MOST };
    }
  },
};
