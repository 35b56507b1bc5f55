import { describe, expect, test } from 'vitest';
import type { Container } from '../../../src/container/container.ts';
import { signalAll } from '../../../src/container/signal.ts';
import { start } from '../../../src/container/start.ts';
import type { Pid } from '../../../src/ids.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

async function running(machine: FakeMachine, path: string): Promise<Container> {
  const container = machine.container(path);
  await start(machine, container, machine.request());
  return container;
}

/** Pids that got a signal, with it. */
function received(machine: FakeMachine): [number, number][] {
  const got: [number, number][] = [];
  const before = machine.kernel.onSignal;
  machine.kernel.onSignal = (pid, signal) => {
    got.push([pid, signal]);
    before(pid, signal);
  };
  return got;
}

/** The process belongs to this user: real and saved uid as given. */
function owned(machine: FakeMachine, pid: Pid, real: number, saved = real): Pid {
  machine.cgroupfs.volume.writeFileSync(`/proc/${pid}/status`, `Name:\tsh\nUid:\t${real}\t0\t${saved}\t0\n`);
  return pid;
}

describe('signalAll', () => {
  test('reaches every process of the subtree but the inits', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const pids = [machine.spawn(web), machine.spawn(web), machine.spawn(await running(machine, 'web/job'))];
    machine.spawn(await running(machine, 'db'));
    const got = received(machine);
    await signalAll(machine, web, machine.request(), 'TERM');
    expect(got).toEqual(pids.map((pid) => [pid, 15]));
    expect(machine.happened.at(-1)).toBe('signalled web 15');
    expect(machine.kernel.openFds).toEqual([]);
  });

  test('KILL reaches the inits too', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.spawn(web);
    await signalAll(machine, web, machine.request(), 'KILL');
    expect(machine.cgroupfs.processes.size).toBe(0);
    await expect.poll(() => web.phase, { timeout: 3000 }).toBe('stopped');
  });

  test('reaches what is forked meanwhile, each once', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const first = machine.spawn(web);
    const got: number[] = [];
    machine.kernel.onSignal = (pid) => {
      got.push(pid);
      if (pid === first) machine.spawn(web);
    };
    await signalAll(machine, web, machine.request(), 'USR1');
    expect(got).toEqual([first, first + 1]);
  });

  test('comes to an end though every process forks when it is signalled', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.spawn(web);
    machine.kernel.onSignal = () => void machine.spawn(web);
    await signalAll(machine, web, machine.request(), 'USR1');
    expect(machine.cgroupfs.processes.size).toBeLessThan(20);
  });

  test('does not hit a process that left the container, or another with its pid', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const pid = machine.spawn(web);
    const got = received(machine);
    const open = machine.kernel.pidfdOpen.bind(machine.kernel);
    machine.kernel.pidfdOpen = (opened) => {
      machine.cgroupfs.cgroup('/sys/fs/cgroup/elsewhere', pid);
      return open(opened);
    };
    await signalAll(machine, web, machine.request(), 'TERM');
    expect([got, machine.kernel.openFds]).toEqual([[], []]);
  });

  test('bears that a process dies meanwhile', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const [first, second] = [machine.spawn(web), machine.spawn(web)];
    const got: number[] = [];
    machine.kernel.onSignal = (pid) => {
      got.push(pid);
      machine.kill(second);
    };
    await signalAll(machine, web, machine.request(), 'TERM');
    expect(got).toEqual([first]);
  });

  test('by kill(2) a user reaches his own, by real or saved uid', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const pids = [owned(machine, machine.spawn(web), 1000), owned(machine, machine.spawn(web), 0, 1000)];
    const got = received(machine);
    await signalAll(machine, web, machine.request({ uid: 1000 }), 'TERM');
    expect(got.map(([pid]) => pid)).toEqual(pids);
  });

  test('EPERM when one of them is not his, and nobody gets it', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    owned(machine, machine.spawn(web), 1000);
    const other = owned(machine, machine.spawn(web), 1001);
    const got = received(machine);
    await expect(signalAll(machine, web, machine.request({ uid: 1000 }), 'TERM')).rejects.toMatchObject({
      errno: 'EPERM',
      message: expect.stringContaining(`process ${other}`) as string,
    });
    expect(got).toEqual([]);
  });

  test('EBUSY where nothing runs, EINVAL for what is no signal', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await expect(signalAll(machine, web, machine.request(), 'TERM')).rejects.toMatchObject({ errno: 'EBUSY' });
    await expect(signalAll(machine, web, machine.request(), 'NONE')).rejects.toMatchObject({ errno: 'EINVAL' });
  });

  test('is written down before the first signal, so that it is not sent twice', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.spawn(web);
    const request = machine.request();
    let known = false;
    machine.kernel.onSignal = () => (known = machine.nextDaemon().store.wasDone(request.unique));
    await signalAll(machine, web, request, 'TERM');
    expect(known).toBe(true);
  });
});
