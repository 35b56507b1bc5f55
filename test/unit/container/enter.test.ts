import { describe, expect, test } from 'vitest';
import { enter } from '../../../src/container/enter.ts';
import type { Pid } from '../../../src/ids.ts';
import { ALL, DEFAULT_MASK, EnteringWorld, OUTSIDE, PIDFD_OPEN, SETNS, world } from '../../support/entering-world.ts';

describe('enter', () => {
  test('joins all namespaces that differ, by one setns, and the cgroup', async () => {
    using it = await world();
    expect(await it.asked(it.web)).toBe('entered');
    const init = BigInt(it.web.init!.pid);
    expect(it.made.map(([number, first, second]) => [number, first, number === SETNS ? second : 0n])).toEqual([
      [272n, 0x200n, 0n],
      [PIDFD_OPEN, init, 0n],
      [SETNS, 9n, DEFAULT_MASK],
      [3n, 9n, 0n],
    ]);
    expect(it.cgroupOfTarget()).toBe(`${it.cgroupOf(it.web)}/own`);
    await expect.poll(() => it.happened).toContain('entered web');
    expect([...it.store.registry.entered.values()]).toMatchObject([{ pid: it.target, by: 'symlink', begun: false }]);
    expect(it.kernel.openFds).toEqual([]);
  });

  test('joins one kind, and leaves cgroup and the rest', async () => {
    using it = await world();
    expect(await it.asked(it.web, 'uts')).toBe('entered');
    expect(it.made.find(([number]) => number === SETNS)).toEqual([SETNS, 9n, 0x0400_0000n, 0n]);
    expect(it.made.some(([number]) => number === 272n)).toBe(false);
    expect(it.cgroupOfTarget()).toBe(OUTSIDE);
  });

  test('starts what has not started', async () => {
    using it = new EnteringWorld();
    await it.asked(it.web);
    expect(it.starts.map(({ hostname }) => hostname)).toEqual(['web']);
  });

  test('is all or nothing: what setns refuses leaves cgroup, registers and mask as they were', async () => {
    using it = await world();
    it.tracer.answer = (number) => (number === SETNS ? -1n : 9n);
    expect(await it.asked(it.web)).toBe('EPERM');
    expect(it.cgroupOfTarget()).toBe(OUTSIDE);
    // The descriptor it got is closed again.
    expect(it.made.at(-1)?.slice(0, 2)).toEqual([3n, 9n]);
    expect([it.tracer.did.at(-1), it.tracer.ended, it.tracer.released]).toEqual(['end', undefined, 1]);
    expect(it.store.registry.entered.size).toBe(0);
  });

  test('moves it back when it cannot be traced', async () => {
    using it = await world();
    it.tracer.failing.set('seize', 'EPERM');
    expect(await it.asked(it.web)).toBe('EPERM');
    expect(it.cgroupOfTarget()).toBe(OUTSIDE);
  });

  test.each([
    [Object.assign(new Error('gone'), { code: 'ESRCH', errno: -3, syscall: 'write' }), 'ESRCH'],
    [new TypeError('a bug'), 'TypeError: a bug'],
  ])('lets it go when its cgroup cannot be joined: %s', async (failure, said) => {
    using it = await world();
    const write = it.files.writeFileSync.bind(it.files);
    Object.assign(it.files, {
      writeFileSync: (file: string, data: string) => {
        if (file.endsWith('/own/cgroup.procs')) throw failure;
        write(file, data);
      },
    });
    expect(await it.asked(it.web).catch(String)).toBe(said);
    expect([it.tracer.did.at(-1), it.tracer.released, it.cgroupOfTarget()]).toEqual(['end', 1, OUTSIDE]);
    expect(it.store.registry.entered.size).toBe(0);
  });

  test('asks again while it stands still: one that has changed meanwhile is let go', async () => {
    using it = await world();
    it.tracer.onTraced = (pid, tracer) => {
      const status = `Tgid:\t${pid}\nThreads:\t2\nTracerPid:\t${tracer}\nSeccomp:\t0\n`;
      it.cgroupfs.volume.writeFileSync(`/proc/${pid}/status`, status);
    };
    expect(await it.asked(it.web)).not.toBe('entered');
    expect(it.made).toEqual([]);
    expect(it.cgroupOfTarget()).toBe(OUTSIDE);
  });

  test.each<[string, (it: EnteringWorld) => unknown, string]>([
    [
      'a process that is gone',
      (it) => {
        it.kill(it.target);
      },
      'ESRCH',
    ],
    ['a kernel thread', (it) => it.spawn(OUTSIDE, { pid: it.target, flags: 0x0020_0000 }), 'EPERM'],
    ['a zombie', (it) => it.spawn(OUTSIDE, { pid: it.target, state: 'Z' }), 'ESRCH'],
    ['a thread', (it) => it.spawn(OUTSIDE, { pid: it.target, tgid: 7 }), 'ESRCH'],
    ['one with threads', (it) => it.spawn(OUTSIDE, { pid: it.target, threads: 2 }), 'ENOTSUP'],
    ['one with a seccomp filter', (it) => it.spawn(OUTSIDE, { pid: it.target, seccomp: 2 }), 'ENOTSUP'],
    ['one that is traced', (it) => it.spawn(OUTSIDE, { pid: it.target, tracerPid: 9 }), 'EBUSY'],
    ['a child of the daemon', (it) => it.spawn(OUTSIDE, { pid: it.target, ppid: process.pid }), 'EPERM'],
    ['one in a container beside', (it) => it.spawn(it.container('other'), { pid: it.target }), 'EPERM'],
    ['one further in', (it) => it.spawn(it.job, { pid: it.target }), 'EPERM'],
  ])('refuses %s, and touches nothing', async (_, prepare, errno) => {
    using it = await world();
    prepare(it);
    const before = it.cgroupOfTarget();
    expect(await it.asked(it.web)).toBe(errno);
    expect(it.tracer.did).toEqual([]);
    expect(it.cgroupOfTarget()).toBe(before);
  });

  test('refuses a caller that the kernel would not let trace it', async () => {
    using it = await world();
    const alice = it.spawn(OUTSIDE, { uids: [1001, 1001, 1001, 1001], gids: [1001, 1001, 1001, 1001] });
    it.kernel.namespaces.set(`${alice}/user`, { inode: 6 });
    const request = it.request({ pid: alice, uid: 1001, gid: 1001 });
    await expect(enter(it, { container: it.web, by: 'symlink' }, it.target, request)).rejects.toThrow('may not trace');
  });

  test("refuses a caller that is not who the kernel's request says", async () => {
    using it = await world();
    const request = it.request({ pid: it.asker, uid: 1001, gid: 1001 });
    await expect(enter(it, { container: it.web, by: 'symlink' }, it.target, request)).rejects.toThrow('not to be seen');
    await expect(
      enter(it, { container: it.web, by: 'symlink' }, it.target, it.request({ pid: 0 as Pid })),
    ).rejects.toThrow('not to be seen');
  });

  test('answers a caller that is the target before it waits for it, having said so in the journal', async () => {
    using it = await world();
    let stopsIt: () => void = () => undefined;
    it.tracer.stopping = new Promise<void>((resolve) => {
      stopsIt = resolve;
    });
    expect(await it.asked(it.web, 'symlink', it.target)).toBe('entered');
    expect(it.made).toEqual([]);
    expect([...it.store.registry.entered.values()]).toMatchObject([{ begun: true }]);
    stopsIt();
    await expect.poll(() => it.happened.includes('entered web')).toBe(true);
    expect([...it.store.registry.entered.values()]).toMatchObject([{ begun: false }]);
  });

  test('fails the call of a caller that is the target, if it turns out that it cannot', async () => {
    using it = await world();
    it.tracer.answer = (number) => (number === SETNS ? -1n : 9n);
    expect(await it.asked(it.web, 'symlink', it.target)).toBe('entered');
    await expect.poll(() => it.web.error).toContain('EPERM');
    expect(it.tracer.ended?.readBigInt64LE(10 * 8)).toBe(-1n);
    expect(it.cgroupOfTarget()).toBe(OUTSIDE);
    expect(it.store.registry.entered.size).toBe(0);
  });

  test('takes one that has the cgroup only for one that is not in yet', async () => {
    using it = await world();
    it.spawn(it.web, { pid: it.target, capPermitted: ALL, capEffective: ALL });
    expect(await it.asked(it.web)).toBe('entered');
    expect(await it.asked(it.web)).toBe('EPERM');
  });
});

test('moves nobody who does not stand still: what he forked would stay behind', async () => {
  using it = new EnteringWorld();
  await it.started(it.web);
  let stops: () => void = () => undefined;
  it.tracer.stopping = new Promise<void>((resolve) => (stops = resolve));
  const asked = it.asked(it.web);
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  expect([it.tracer.did, it.cgroupOfTarget()]).toEqual([['seize'], OUTSIDE]);
  stops();
  expect([await asked, it.cgroupOfTarget()]).toEqual(['entered', `${it.cgroupOf(it.web)}/own`]);
});
