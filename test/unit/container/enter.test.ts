import { describe, expect, test } from 'vitest';
import { enter, finishEntering } from '../../../src/container/enter.ts';
import type { Container } from '../../../src/container/container.ts';
import type { EnteredBy } from '../../../src/container/entered.ts';
import { start } from '../../../src/container/start.ts';
import { FsError } from '../../../src/errno.ts';
import type { Pid } from '../../../src/ids.ts';
import { FakeMachine, OWN_NAMESPACES } from '../../support/fake-machine.ts';
import { setNamespace } from '../../support/proc-tree.ts';

const OUTSIDE = '/sys/fs/cgroup/user';
const ALL = 0x1ff_ffff_ffffn;
const SETNS = 308n;
const PIDFD_OPEN = 434n;
/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWPID (linux/sched.h). */
const DEFAULT_MASK = 0x0002_0000n | 0x0200_0000n | 0x0400_0000n | 0x0800_0000n | 0x2000_0000n;

class World extends FakeMachine {
  readonly web = this.container('web');
  readonly job = this.container('web/job');
  readonly target: Pid;
  readonly asker: Pid;

  constructor() {
    super();
    this.cgroupfs.cgroup(OUTSIDE);
    const root = { capPermitted: ALL, capEffective: ALL };
    this.target = this.spawn(OUTSIDE, root);
    this.asker = this.spawn(OUTSIDE, root);
    for (const pid of [this.target, this.asker, process.pid]) this.kernel.namespaces.set(`${pid}/user`, { inode: 6 });
    for (const link of ['pid', 'user'] as const) this.become('self', link, OWN_NAMESPACES[link]);
    this.tracer.onTraced = (pid, tracer) => {
      const status = this.files.readFileSync(`/proc/${pid}/status`, 'utf8');
      this.files.writeFileSync(`/proc/${pid}/status`, status.replace(/TracerPid:.*/, `TracerPid:\t${tracer}`));
    };
    this.tracer.answer = (number) => {
      if (number === PIDFD_OPEN) return 9n;
      if (number === SETNS) this.settle(this.target);
      return 0n;
    };
  }

  /** Starts it, with namespaces of its own. */
  async started(container: Container, first = 100): Promise<void> {
    await start(this, container, this.request());
    const { pid } = container.init!;
    for (const [index, kind] of ['mnt', 'uts', 'ipc', 'pid_for_children', 'cgroup'].entries())
      this.become(pid, kind, first + index);
  }

  become(pid: number | 'self', link: string, inode: number): void {
    setNamespace(this.cgroupfs.volume, pid, link, inode);
  }

  /** The target gets web's namespaces. */
  settle(pid: number): void {
    for (const link of ['mnt', 'uts', 'ipc', 'pid_for_children', 'cgroup']) {
      const text = this.files.readlinkSync(`/proc/${this.web.init!.pid}/ns/${link}`);
      this.become(pid, link, Number(/\d+/.exec(text)![0]));
    }
  }

  /** What the target was made to do: numbers and first arguments. */
  get made(): readonly (readonly bigint[])[] {
    return this.tracer.made;
  }

  cgroupOfTarget(): string | undefined {
    return this.cgroupfs.processes.get(this.target);
  }

  async asked(container: Container, by: EnteredBy = 'symlink', pid = this.asker): Promise<string> {
    try {
      await enter(this, { container, by }, this.target, this.request({ pid }));
      return 'entered';
    } catch (error) {
      if (error instanceof FsError) return error.errno;
      throw error;
    }
  }
}

async function world(): Promise<World> {
  const made = new World();
  await made.started(made.web);
  return made;
}

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
    using it = new World();
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

  test.each<[string, (it: World) => unknown, string]>([
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

describe('finishEntering', () => {
  const begun = (it: World) => {
    const startTime = 100 + it.target;
    it.store.commit([{ op: 'enter', serial: it.web.serial, pid: it.target, startTime, by: 'symlink', begun: true }]);
  };

  test('brings in who was told to be inside', async () => {
    using it = await world();
    begun(it);
    await finishEntering(it);
    expect(it.cgroupOfTarget()).toBe(`${it.cgroupOf(it.web)}/own`);
    expect([...it.store.registry.entered.values()]).toMatchObject([{ pid: it.target, begun: false }]);
  });

  test('leaves who is in already', async () => {
    using it = await world();
    begun(it);
    it.spawn(it.web, { pid: it.target });
    it.settle(it.target);
    await finishEntering(it);
    expect(it.tracer.did).toEqual([]);
    expect([...it.store.registry.entered.values()]).toMatchObject([{ pid: it.target, begun: false }]);
  });

  test('forgets who is gone, and says so', async () => {
    using it = await world();
    begun(it);
    it.kill(it.target);
    await finishEntering(it);
    expect(it.store.registry.entered.size).toBe(0);
    expect(it.web.error).toContain('ESRCH');
  });
});

describe('a request that comes again', () => {
  test('is done if the process is in, by whoever finished it', async () => {
    using it = await world();
    it.spawn(it.web, { pid: it.target });
    it.settle(it.target);
    const request = it.request({ pid: it.asker, resent: true });
    await enter(it, { container: it.web, by: 'symlink' }, it.target, request);
    expect([...it.store.registry.entered.keys()]).toEqual([it.target]);
    expect(it.store.wasDone(request.unique)).toBe(true);
    expect(it.tracer.did).toEqual([]);
  });
});

describe('a container whose user namespace does not know the target’s user', () => {
  const CLONE_NEWUSER = 0x1000_0000n;
  const [CLOSE, PRCTL, SETGROUPS, SETRESUID, SETRESGID, UNSHARE] = [3n, 157n, 116n, 117n, 119n, 272n];

  async function ofUser(maps: { readonly uid: string; readonly gid: string }): Promise<World> {
    const it = new World();
    await it.started(it.web);
    const { pid } = it.web.init!;
    it.become(pid, 'user', 55);
    it.kernel.namespaces.set(`${pid}/user`, { inode: 55, parent: { inode: 6 }, owner: 1001 });
    for (const kind of ['uid', 'gid'] as const) it.files.writeFileSync(`/proc/${pid}/${kind}_map`, maps[kind]);
    return it;
  }

  test('has him become its root, whom nobody there may look into, and who leaves his groups before', async () => {
    using it = await ofUser({ uid: '0 1001 1\n', gid: '0 1001 1\n' });
    expect(await it.asked(it.web)).toBe('entered');
    expect(it.made.map(([number]) => number)).toEqual([
      ...[UNSHARE, PIDFD_OPEN, SETGROUPS, PRCTL, SETNS, SETRESGID, SETRESUID, CLOSE],
    ]);
    expect(it.made[2]?.slice(0, 3)).toEqual([SETGROUPS, 0n, 0n]);
    expect(it.made[3]?.slice(0, 3)).toEqual([PRCTL, 4n, 0n]);
    expect(it.made[4]?.[2]).toBe(DEFAULT_MASK | CLONE_NEWUSER);
    for (const call of [5, 6]) expect(it.made[call]?.slice(1, 4)).toEqual([0n, 0n, 0n]);
  });

  test('leaves who has a number in it as he is', async () => {
    using it = await ofUser({ uid: '0 0 4294967295\n', gid: '0 0 4294967295\n' });
    expect(await it.asked(it.web)).toBe('entered');
    expect(it.made.map(([number]) => number)).toEqual([UNSHARE, PIDFD_OPEN, SETNS, CLOSE]);
  });

  test('is refused to who would be nobody there, as long as it has no root', async () => {
    using it = await ofUser({ uid: '1000 1001 1\n', gid: '0 1001 1\n' });
    expect(await it.asked(it.web)).toMatch(/EPERM/);
    expect([it.made, it.cgroupOfTarget()]).toEqual([[], OUTSIDE]);
  });

  test('does nothing to who lacks the privilege for it', async () => {
    using it = await ofUser({ uid: '0 1001 1\n', gid: '0 1001 1\n' });
    const status = `/proc/${it.target}/status`;
    const text = it.files.readFileSync(status, 'utf8');
    it.files.writeFileSync(status, text.replace(/CapEff:.*/, 'CapEff:\t0000000000000000'));
    expect(await it.asked(it.web)).toBe('EPERM');
    expect([it.made, it.cgroupOfTarget()]).toEqual([[], OUTSIDE]);
  });
});

test('moves nobody who does not stand still: what he forked would stay behind', async () => {
  using it = new World();
  await it.started(it.web);
  let stops: () => void = () => undefined;
  it.tracer.stopping = new Promise<void>((resolve) => (stops = resolve));
  const asked = it.asked(it.web);
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  expect([it.tracer.did, it.cgroupOfTarget()]).toEqual([['seize'], OUTSIDE]);
  stops();
  expect([await asked, it.cgroupOfTarget()]).toEqual(['entered', `${it.cgroupOf(it.web)}/own`]);
});
