import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Group } from '../group.ts';
import { mountTree } from '../tree.ts';

const NODES = 10_000;
const SETTLE_ROUNDS = 10;
const SETTLE_MS = 1_000;

export const memory: Group = {
  name: 'memory',
  title: 'Memory of the daemon',
  method:
    'Pss_Anon of the daemon process (smaps_rollup; pages of files come and go as the machine likes), after 200 ' +
    'containers were made and removed, and again after 10,000 were ' +
    'made; the least of ten seconds of light work, in which its garbage is collected.',
  async *measure({ helpers }: Bench) {
    await using tree = await mountTree();
    await helpers.client('mkdir', tree.dir, 200);
    await helpers.client('rmdir', tree.dir, 200);
    const settled = async () => {
      const seen: number[] = [];
      for (let round = 0; round < SETTLE_ROUNDS; round++) {
        await helpers.client('absent', tree.dir, 2_000, { name: 'absent' });
        await sleep(SETTLE_MS);
        seen.push(anonymousKiB(tree.daemonPid()));
      }
      return Math.min(...seen);
    };
    const pid = tree.daemonPid();
    const before = await settled();
    await helpers.client('mkdir', tree.dir, NODES);
    const atOnce = anonymousKiB(tree.daemonPid());
    const after = await settled();
    if (tree.daemonPid() !== pid) throw new Error('the daemon died meanwhile');
    yield { what: 'memory of the empty daemon', unit: 'KiB', ours: before };
    yield { what: 'memory with 10,000 containers, at once', unit: 'KiB', ours: atOnce };
    yield { what: 'memory with 10,000 containers, settled', unit: 'KiB', ours: after };
    const each = (after - before) / NODES;
    yield { what: 'per container', unit: 'KiB', ours: each, atMost: { of: 'ours', limit: 4 } };
  },
};

function anonymousKiB(pid: number): number {
  return Number(/^Pss_Anon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
}
