import { describe, expect, test } from 'vitest';
import { sharersFor, SHARERS_LIMIT } from '../../../src/container/sharers.ts';
import type { Pid } from '../../../src/ids.ts';
import { createCensusTaker } from '../../../src/proc/census.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { procTree, setNamespace, type FakeProcess } from '../../support/proc-tree.ts';

/** The daemon's pid namespace is 5; 6 is in it, and known to processes there by other numbers. */
async function sharers(reader: number, ...processes: FakeProcess[]) {
  const { files, volume } = procTree(...processes);
  volume.mkdirSync('/proc/self/ns', { recursive: true });
  setNamespace(volume, 'self', 'pid', 5);
  const kernel = new FakeKernel();
  for (const { pid, ns } of processes) kernel.namespaces.set(`${pid}/pid`, { inode: ns?.['pid'] ?? 0, id: 1n });
  const census = await createCensusTaker(files)();
  return sharersFor({ files, kernel } as never, census, reader as Pid);
}

const outside = (pid: number): FakeProcess => ({ pid, nsPids: [pid], ns: { pid: 5, pid_for_children: 5, net: 9 } });
const inside = (pid: number, own: number): FakeProcess => ({
  pid,
  nsPids: [pid, own],
  ns: { pid: 6, pid_for_children: 6, net: 9 },
});

describe('sharersFor', () => {
  test('names every process for a reader in the daemon’s pid namespace', async () => {
    const of = await sharers(10, outside(10), inside(11, 1), outside(12));
    expect([of('net', 9), of('pid', 6), of('net', 8)]).toEqual([['10', '11', '12'], ['11'], []]);
  });

  test('names those a reader in a container can see, by the pids they have there', async () => {
    const of = await sharers(12, outside(10), inside(11, 1), inside(12, 2));
    expect([of('net', 9), of('pid', 5)]).toEqual([['1', '2'], []]);
  });

  test('names nobody to a reader that cannot be seen', async () => {
    expect((await sharers(0, outside(10)))('net', 9)).toEqual([]);
  });

  test('says how many more there are than it names', async () => {
    const many = Array.from({ length: SHARERS_LIMIT + 3 }, (_, index) => outside(100 + index));
    const words = (await sharers(100, ...many))('net', 9);
    expect(words).toHaveLength(SHARERS_LIMIT + 1);
    expect(words.slice(-2)).toEqual([String(100 + SHARERS_LIMIT - 1), '… and 3 more']);
  });
});
