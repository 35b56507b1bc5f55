import { describe, expect, test } from 'vitest';
import { pid } from '../../../src/ids.ts';
import { pidFor, pidView } from '../../../src/proc/pid-view.ts';
import { FakeKernel, type FakeNamespace } from '../../support/fake-kernel.ts';
import { procTree } from '../../support/proc-tree.ts';

const ROOT: FakeNamespace = { inode: 100 };
const WEB: FakeNamespace = { inode: 101, parent: ROOT };
const JOB: FakeNamespace = { inode: 102, parent: WEB };
const SIBLING: FakeNamespace = { inode: 103, parent: ROOT };
const UNDER_SIBLING: FakeNamespace = { inode: 104, parent: SIBLING };

/** Pids: 10 on the machine, 20 and 21 in web, 30 in web's job, 40 in web's sibling, 50 below that. */
const PLACES = [
  [10, [10], ROOT],
  [20, [20, 1], WEB],
  [21, [21, 2], WEB],
  [30, [30, 3, 1], JOB],
  [40, [40, 1], SIBLING],
  [50, [50, 2, 1], UNDER_SIBLING],
] as const;

function machine() {
  const { volume, files } = procTree(
    ...PLACES.map(([number, nsPids, { inode }]) => ({ pid: number, nsPids, ns: { pid: inode } })),
  );
  volume.symlinkSync('pid:[100]', '/proc/self/ns/pid');
  const kernel = new FakeKernel();
  for (const [number, , namespace] of PLACES) kernel.namespaces.set(`${number}/pid`, namespace);
  return { files, kernel };
}

describe('pidFor', () => {
  test.each([
    ['in the daemon’s namespace, everything by its own pid', 10, [10, 20, 21, 30, 40, 50]],
    ['in a namespace, what is in it and below it', 20, [undefined, 1, 2, 3, undefined, undefined]],
    ['in a deeper one, no more than that', 30, [undefined, undefined, undefined, 1, undefined, undefined]],
    ['in a sibling, nothing of its sibling', 40, [undefined, undefined, undefined, undefined, 1, 2]],
    ['not visible to the daemon: nothing', 0, PLACES.map(() => undefined)],
    ['gone: nothing', 99, PLACES.map(() => undefined)],
  ])('reader %s', (_, reader, expected) => {
    const system = machine();
    expect(PLACES.map(([target]) => pidFor(system, pid(reader), pid(target)))).toEqual(expected);
    expect(system.kernel.openFds).toEqual([]);
  });

  test('asks the kernel nothing for a reader beside the daemon', () => {
    const system = machine();
    pidFor(system, pid(10), pid(30));
    expect(system.kernel.calls).toEqual([]);
  });

  test('is undefined for a target that ends meanwhile', () => {
    const system = machine();
    system.kernel.namespaces.delete('30/pid');
    expect(pidView(system, pid(20))(pid(30))).toBeUndefined();
    expect(pidView(system, pid(20))(pid(77))).toBeUndefined();
  });
});
