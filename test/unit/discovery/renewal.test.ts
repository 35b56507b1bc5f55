import { afterEach, describe, expect, test, vi } from 'vitest';
import { identityOf } from '../../../src/discovery/identity.ts';
import type { SetKey } from '../../../src/discovery/key.ts';
import type { Pid, Serial } from '../../../src/ids.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { machine } from '../../support/observed-machine.ts';

const FIVE = 5 as Serial;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('Observer, where numbers of namespaces are given again', () => {
  /** Process 10 and its child 11 are in a set of their own, and were so for long. */
  const settled = async () => {
    const it = machine();
    for (const [pid, ppid] of [
      [10, 1],
      [11, 10],
    ] as const) {
      it.add({ pid, ppid, ns: { uts: 100 } });
      it.identities.set(pid, [undefined, '7']);
      it.asleep.set(pid, 1);
    }
    await it.survey();
    const before = it.setOf(10)!;
    for (let round = 0; round < 80; round++) await it.pass();
    expect([it.setOf(10), it.setOf(11)]).toEqual([before, before]);
    return { ...it, before };
  };

  test('knows a set whose process ran by the kernel’s unique numbers', async () => {
    const { before, identities, asleep, setOf, pass, observer } = await settled();
    for (const pid of [10, 11]) identities.set(pid, [undefined, '8']);
    await pass();
    expect(setOf(10)).toBe(before);
    asleep.set(10, 2);
    await pass();
    const renewed = setOf(10);
    expect([renewed === before, setOf(11) === renewed, renewed?.key]).toEqual([false, true, before.key]);
    expect([before.members.size, observer.sets.fresh.has(before), observer.sets.get(before.key)]).toEqual([
      0,
      false,
      renewed,
    ]);
    expect(renewed?.parent).toBe(before);
  });

  test('leaves a set alone whose numbers are its own still, and one of which nothing is known', async () => {
    const { before, identities, asleep, setOf, pass } = await settled();
    for (const id of ['7', undefined]) {
      identities.set(10, [undefined, id]);
      asleep.set(10, (asleep.get(10) ?? 0) + 1);
      await pass();
      expect(setOf(10)).toBe(before);
    }
  });

  test('takes out who had left it before', async () => {
    const { before, identities, asleep, setOf, pass, volume } = await settled();
    volume.unlinkSync('/proc/11/ns/uts');
    volume.symlinkSync('uts:[300]', '/proc/11/ns/uts');
    identities.set(10, [undefined, '8']);
    asleep.set(10, 2);
    await pass();
    await pass();
    const [ten, eleven] = [setOf(10), setOf(11)];
    expect(new Set([before, ten, eleven]).size).toBe(3);
  });

  test('forgets no container that stands for the set that is no more', async () => {
    const { before, identities, asleep, setOf, pass, observer } = await settled();
    observer.sets.stand(before, FIVE);
    identities.set(10, [undefined, '8']);
    asleep.set(10, 2);
    await pass();
    expect([observer.sets.of(FIVE), observer.sets.emptied.has(before)]).toEqual([before, true]);
    expect([setOf(10)?.serial, observer.sets.fresh.has(setOf(10)!)]).toEqual([undefined, true]);
  });
});

describe('Observer, where events tell of it and the kernel has no unique numbers', () => {
  /** Process 10 was seen in a set, made other namespaces twice, and was seen with the numbers of the first. */
  const returned = async () => {
    const it = machine();
    it.add({ pid: 10, ppid: 1, ns: { uts: 100 } });
    it.observer.beginTracing(true, () => undefined);
    await it.survey();
    it.tell();
    const before = it.setOf(10)!;
    expect(before.stage).toBeDefined();
    for (let time = 0; time < 2; time++) it.change(10);
    it.observer.look(10 as Pid, it.now());
    it.tell();
    return { ...it, before };
  };

  test('takes it to be in another set', async () => {
    const { before, setOf, pass } = await returned();
    await pass();
    expect([setOf(10) === before, setOf(10)?.key]).toEqual([false, before.key]);
  });

  test('leaves alone who else has these numbers by then', async () => {
    const { before, setOf, pass, add, remove, observer, now } = await returned();
    remove(10);
    observer.look(10 as Pid, now());
    add({ pid: 12, ppid: 1, ns: { uts: 100 } });
    observer.look(12 as Pid, now());
    await pass();
    expect([setOf(12) === before, observer.sets.get(before.key)]).toEqual([false, setOf(12)]);
  });
});

test('identityOf asks only for the namespaces that are not the machine’s, and closes what it opens', () => {
  const kernel = new FakeKernel();
  kernel.namespaces.set('10/uts', { inode: 9, id: 90n });
  kernel.namespaces.set('10/ipc', { inode: 10 });
  const [machines, own] = ['1,2,3,4,5,6,7,8', '1,9,10,4,pending10.1,6,7,8'] as [SetKey, SetKey];
  expect(identityOf(kernel, 10 as Pid, own, machines)).toEqual([
    undefined,
    '90',
    ...Array<undefined>(6).fill(undefined),
  ]);
  expect(kernel.calls.filter(([method]) => method === 'openNamespace').map(([, , link]) => link)).toEqual([
    'uts',
    'ipc',
    'pid_for_children',
  ]);
  expect(kernel.openFds).toEqual([]);
});
