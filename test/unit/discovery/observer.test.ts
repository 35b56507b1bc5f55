import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Pid, Serial } from '../../../src/ids.ts';
import { machine } from '../../support/observed-machine.ts';

const SERIAL = 7 as Serial;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('Observer', () => {
  test('groups processes by what their children will be in', async () => {
    const { add, survey, setOf, observer } = machine();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    add({ pid: 11, ppid: 10, ns: { mnt: 100 } });
    // As unshare --pid --fork has it: who waits outside, and who is inside.
    add({ pid: 12, ppid: 1, ns: { pid_for_children: 200 } });
    add({ pid: 13, ppid: 12, ns: { pid: 200, pid_for_children: 200 } });
    await survey();
    expect(setOf(10)).toBe(setOf(11));
    expect(setOf(12)).toBe(setOf(13));
    expect(setOf(10)).not.toBe(setOf(12));
    expect(setOf(1)).toBe(observer.sets.machine);
    expect(observer.sets.oldest(setOf(10)!)?.pid).toBe(10);
  });

  test('does not look at a process before it is some time old', async () => {
    const { add, survey, pass, setOf } = machine();
    await survey();
    add({ pid: 20, ppid: 1, ns: { mnt: 100 } });
    await pass(1);
    await pass(40);
    expect(setOf(20)).toBeUndefined();
    await pass(40);
    expect(setOf(20)).toBeDefined();
  });

  test('looks at a process once that is known to make no namespaces any more, and at others again and again', async () => {
    const { add, survey, pass, steady, volume, observer, now } = machine();
    await survey();
    steady.add(20);
    add({ pid: 20, ppid: 1, ns: { mnt: 100 } });
    add({ pid: 21, ppid: 1, ns: { mnt: 200 } });
    await pass();
    await pass();
    expect([20, 21].map((pid) => observer.sets.member(pid as Pid)?.set.members.size)).toEqual([1, 1]);
    const read = vi.spyOn(volume, 'readFileSync');
    for (const pid of [20, 21]) observer.hear({ kind: 'executed', pid, atSec: 0 }, now());
    for (let look = 0; look < 8; look++) await pass(500);
    const looked = (pid: number) => read.mock.calls.filter(([path]) => path === `/proc/${pid}/stat`).length;
    expect(looked(20)).toBe(0);
    expect(looked(21)).toBeGreaterThan(3);
  });

  test('knows who made a set: the maker’s set, also through processes of the set itself', async () => {
    const { add, survey, setOf, observer } = machine();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    add({ pid: 11, ppid: 10, ns: { mnt: 100, uts: 101 } });
    add({ pid: 12, ppid: 11, ns: { mnt: 100, uts: 101 } });
    await survey();
    expect(observer.sets.member(11 as Pid)?.origin).toBe(setOf(10));
    expect(observer.sets.member(12 as Pid)?.origin).toBe(setOf(10));
    expect(observer.sets.member(10 as Pid)?.origin).toBe(observer.sets.machine);
  });

  test('sees a process that makes namespaces late, and that it was in another set before', async () => {
    const { add, survey, pass, setOf, observer, volume } = machine();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    await survey();
    const before = setOf(10);
    volume.unlinkSync('/proc/10/ns/uts');
    volume.symlinkSync('uts:[300]', '/proc/10/ns/uts');
    await pass();
    expect(setOf(10)).not.toBe(before);
    expect(observer.sets.member(10 as Pid)?.origin).toBe(before);
  });

  test('looks at an old process again once it ran, and not before', async () => {
    const { add, survey, pass, setOf, volume, asleep } = machine();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    asleep.set(10, 5);
    await survey();
    await pass();
    const before = setOf(10);
    volume.unlinkSync('/proc/10/ns/uts');
    volume.symlinkSync('uts:[300]', '/proc/10/ns/uts');
    for (let round = 0; round < 5; round++) await pass();
    expect(setOf(10)).toBe(before);
    asleep.set(10, 6);
    await pass();
    expect(setOf(10)).not.toBe(before);
  });

  test('takes the pid namespace that was asked for and the one that came of it for the same', async () => {
    const { add, survey, pass, setOf, volume } = machine();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    volume.unlinkSync('/proc/10/ns/pid_for_children');
    await survey();
    const before = setOf(10);
    volume.symlinkSync('pid:[400]', '/proc/10/ns/pid_for_children');
    add({ pid: 11, ppid: 10, ns: { mnt: 100, pid: 400, pid_for_children: 400 } });
    await pass(1);
    await pass();
    expect(setOf(10)).toBe(before);
    expect(setOf(11)).toBe(before);
  });

  test('puts a process that may not be looked at where its maker is', async () => {
    const { add, survey, setOf, volume } = machine();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    add({ pid: 11, ppid: 10 });
    volume.rmSync('/proc/11/ns', { recursive: true });
    await survey();
    expect(setOf(11)).toBe(setOf(10));
  });

  test('does not take a process that got a pid again for the one that had it', async () => {
    const { add, remove, survey, pass, setOf, observer } = machine();
    add({ pid: 10, ppid: 1, starttime: 500, ns: { mnt: 100 } });
    await survey();
    const before = setOf(10);
    observer.sets.stand(before!, SERIAL);
    remove(10);
    add({ pid: 10, ppid: 1, starttime: 900, ns: { mnt: 111 } });
    await pass();
    await pass();
    expect(setOf(10)).not.toBe(before);
    expect(observer.sets.emptied.has(before!)).toBe(true);
  });

  test('does not take a set that got the numbers of a dead one for that', async () => {
    const { add, remove, survey, setOf, observer, now } = machine();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    await survey();
    const before = setOf(10);
    observer.sets.stand(before!, SERIAL);
    remove(10);
    add({ pid: 11, ppid: 1, ns: { mnt: 100 } });
    observer.catchUp(now());
    expect(setOf(11)).not.toBe(before);
    expect(observer.sets.emptied.has(before!)).toBe(true);
    // Nor two sets for one when the dead one is forgotten.
    observer.sets.forget(SERIAL);
    add({ pid: 12, ppid: 1, ns: { mnt: 100 } });
    observer.catchUp(now());
    expect(setOf(12)).toBe(setOf(11));
  });

  test('does not take a process that got pid and numbers again for the one that had both', async () => {
    const { add, remove, survey, setOf, observer, now } = machine();
    add({ pid: 10, ppid: 1, starttime: 500, ns: { mnt: 100 } });
    await survey();
    const before = setOf(10);
    observer.sets.stand(before!, SERIAL);
    remove(10);
    add({ pid: 10, ppid: 1, starttime: 900, ns: { mnt: 100 } });
    observer.look(10 as Pid, now());
    expect(observer.sets.member(10 as Pid)?.startTime).toBe(900);
    expect(setOf(10)).not.toBe(before);
    expect(observer.sets.emptied.has(before!)).toBe(true);
  });

  test('counts the dead that nobody reaped no more, and lets their children descend from them', async () => {
    const { add, survey, pass, setOf, observer, volume } = machine();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    await survey();
    const set = setOf(10);
    volume.writeFileSync('/proc/10/stat', String(volume.readFileSync('/proc/10/stat')).replace(' S ', ' Z '));
    volume.rmSync('/proc/10/ns', { recursive: true });
    await pass();
    expect(set?.members.size).toBe(0);
    expect(observer.sets.member(10 as Pid)?.set).toBe(set);
  });

  test('passes over threads of the kernel and of processes', async () => {
    const { add, survey, setOf, volume } = machine();
    add({ pid: 2, ppid: 0, flags: 0x200000, ns: { mnt: 9 } });
    add({ pid: 30, ppid: 1, ns: { mnt: 100 } });
    const stat = String(volume.readFileSync('/proc/30/stat')).trim();
    volume.writeFileSync('/proc/30/stat', `${stat} ${'0 '.repeat(13)}-1 0\n`);
    await survey();
    expect([setOf(2), setOf(30)]).toEqual([undefined, undefined]);
  });

  test('finds a pid that was given out of the order', async () => {
    const { add, survey, pass, setOf } = machine();
    add({ pid: 100, ppid: 1 });
    await survey();
    add({ pid: 50, ppid: 1, ns: { mnt: 100 } });
    await pass(6_000);
    await pass();
    expect(setOf(50)).toBeDefined();
  });

  test('trusts an event about who made a process more than who took it in', async () => {
    const { add, remove, survey, pass, setOf, observer, tell } = machine();
    observer.beginTracing(false, () => undefined);
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    await survey();
    tell();
    const maker = setOf(10);
    tell(10, 11);
    tell(11, 12);
    remove(10);
    add({ pid: 12, ppid: 1, ns: { uts: 101 } });
    await pass(1);
    await pass();
    tell();
    expect(observer.sets.member(12 as Pid)?.orphan).toBe(true);
    observer.sets.stand(maker!, SERIAL);
    expect(observer.originOf(setOf(12)!)).toEqual({ set: maker, unknown: [] });
  });

  test('asks for a mark when it has seen what events may tell more of', async () => {
    const { add, survey, pass, setOf, observer, tell, now } = machine();
    let asked = 0;
    observer.beginTracing(true, () => (asked += 1));
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    await survey();
    expect(asked).toBe(1);
    const made = setOf(10)!;
    expect(observer.isBehind(made, observer.originOf(made), now())).toBe(true);
    tell();
    expect(observer.isBehind(made, observer.originOf(made), now())).toBe(false);
    const before = asked;
    await pass();
    expect(asked).toBe(before);
  });

  test.each([false, true])('lets a set be shown within 350 ms, in rounds of 50 ms; exact: %s', async (exact) => {
    const { add, survey, pass, setOf, observer, tell, now } = machine();
    observer.beginTracing(exact, () => undefined);
    await survey();
    const begun = now();
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    tell(1, 10);
    const isDue = () => now() - (setOf(10)?.seenAtMs ?? now()) >= observer.showAfterMs;
    for (let round = 0; round < 20 && !isDue(); round++) {
      await pass(50);
      tell();
    }
    expect(isDue()).toBe(true);
    expect(now() - begun).toBeLessThanOrEqual(350);
    expect(now() - begun).toBeGreaterThanOrEqual(100);
  });
});
