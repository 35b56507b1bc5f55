import { describe, expect, test } from 'vitest';
import { initExited, settleIfEnded } from '../../../src/container/life.ts';
import { start } from '../../../src/container/start.ts';
import type { Pid } from '../../../src/ids.ts';
import { now } from '../../../src/time.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

describe('initExited', () => {
  test('the last process: the container has stopped, its cgroup is gone', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request());
    const { pid } = web.init!;
    machine.cgroupfs.processes.delete(pid);
    await initExited(machine, web.serial, pid, 3);
    expect(web).toMatchObject({ phase: 'stopped', exit: 3, init: undefined });
    expect(machine.files.existsSync(machine.cgroupOf(web))).toBe(false);
    expect(machine.happened.slice(2)).toEqual(['exited web 3']);
  });

  test('others are left: it goes on running without init', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request());
    const { pid } = web.init!;
    machine.spawn(web);
    machine.cgroupfs.processes.delete(pid);
    await initExited(machine, web.serial, pid, 137);
    expect(web).toMatchObject({ phase: 'running', exit: 137, init: undefined });
  });

  test('containers in it live on, and so does their cgroup', async () => {
    using machine = new FakeMachine();
    const [web, job] = [machine.container('web'), machine.container('web/job')];
    await start(machine, web, machine.request());
    await start(machine, job, machine.request());
    const { pid } = web.init!;
    machine.cgroupfs.processes.delete(pid);
    await initExited(machine, web.serial, pid, 0);
    expect([web.phase, job.phase]).toEqual(['stopped', 'running']);
    expect([`${machine.cgroupOf(web)}/own`, machine.cgroupOf(job)].map((at) => machine.files.existsSync(at))).toEqual([
      false,
      true,
    ]);
  });

  test('is known also if it was so quick that the start is not through', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request());
    const init = web.init!;
    machine.cgroupfs.processes.delete(init.pid);
    machine.store.commit([{ op: 'phase', serial: web.serial, phase: 'stopped', at: now() }]);
    let through: () => void = () => undefined;
    const starting = machine.locks.hold(web, 'start "web"', async () => {
      await new Promise<void>((resolve) => (through = resolve));
      machine.store.commit([{ op: 'start', serial: web.serial, init, kinds: [], at: now() }]);
    });
    const exited = initExited(machine, web.serial, init.pid, 3);
    through();
    await Promise.all([starting, exited]);
    expect(web).toMatchObject({ phase: 'stopped', exit: 3, init: undefined });
  });

  test('is not taken for the end of a later init, nor twice', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request());
    await initExited(machine, web.serial, (web.init!.pid - 1) as Pid, 3);
    await initExited(machine, 99 as typeof web.serial, web.init!.pid, 3);
    expect([web.phase, web.exit]).toEqual(['running', undefined]);
    const { pid } = web.init!;
    machine.cgroupfs.processes.delete(pid);
    await initExited(machine, web.serial, pid, 3);
    await initExited(machine, web.serial, pid, 4);
    expect([web.exit, machine.happened.slice(2)]).toEqual([3, ['exited web 3']]);
  });
});

describe('watchUntilEmpty', () => {
  test('looks by itself where the kernel lets nobody watch, until the last process is gone', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request());
    const last = machine.spawn(web);
    machine.kill(web.init!.pid);
    await expect.poll(() => machine.logged).toContainEqual(['warn', expect.stringContaining('cannot watch') as string]);
    expect(web.phase).toBe('running');
    machine.kill(last);
    await expect.poll(() => web.phase, { timeout: 3000 }).toBe('stopped');
    expect(machine.files.existsSync(machine.cgroupOf(web))).toBe(false);
  });
});

describe('settleIfEnded', () => {
  test('an init that ended while its cgroup still counted processes: it has stopped as soon as that is empty', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request());
    const { pid } = web.init!;
    await initExited(machine, web.serial, pid, 3);
    expect(web.phase).toBe('running');
    setTimeout(() => machine.cgroupfs.processes.delete(pid), 20);
    await settleIfEnded(machine, web);
    expect(web).toMatchObject({ phase: 'stopped', exit: 3 });
  });

  test('processes that outlive their init outside of a pid namespace: it runs on, and nobody waits', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request(), ['uts']);
    const { pid } = web.init!;
    machine.spawn(web);
    machine.cgroupfs.processes.delete(pid);
    await initExited(machine, web.serial, pid, 3);
    await settleIfEnded(machine, web);
    expect(web.phase).toBe('running');
  });
});
