import { describe, expect, test } from 'vitest';
import { freeze } from '../../../src/container/freeze.ts';
import { remove, stop } from '../../../src/container/destroy.ts';
import { start } from '../../../src/container/start.ts';
import { FsError } from '../../../src/errno.ts';
import type { Pid } from '../../../src/ids.ts';
import { cloneFlags, DEFAULT_KINDS } from '../../../src/namespaces.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

const OUTSIDE = 1 as Pid;

describe('start', () => {
  test('starts an init in a cgroup of its own, and says so', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request());
    expect(web).toMatchObject({ phase: 'running', init: { pid: 1000, startTime: 7 }, kinds: DEFAULT_KINDS });
    expect(machine.cgroupfs.processes.get(1000)).toBe(`${machine.cgroupOf(web)}/own`);
    expect(machine.starts).toMatchObject([
      { serial: web.serial, flags: cloneFlags(DEFAULT_KINDS), hostname: 'web', parentInit: 0, path: 'web' },
    ]);
    expect(machine.happened).toEqual(['created web', 'started web']);
  });

  test('nests in the nearest container above that has an init, with a path relative to it', async () => {
    using machine = new FakeMachine();
    const job = machine.container('web/group/job');
    await start(machine, machine.container('web'), machine.request());
    await start(machine, job, machine.request());
    const outer = machine.container('web').init!;
    expect(machine.starts.at(-1)).toMatchObject({
      parentInit: outer.pid,
      parentStartTime: outer.startTime,
      path: 'group/job',
      cgroupDir: `${machine.cgroupOf(job)}/own`,
    });
  });

  test('hands down the controllers there are', async () => {
    using machine = new FakeMachine({ controllers: ['cpu', 'memory', 'hugetlb'] });
    await start(machine, machine.container('web'), machine.request());
    const written = machine.cgroupfs.writes.filter(
      ([file]) => file === `${machine.cgroupBase}/1/cgroup.subtree_control`,
    );
    expect(written.map(([, data]) => data)).toEqual(['+memory +cpu']);
  });

  test('gives what was asked for besides the usual, or exactly the given kinds', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    machine.store.commit([{ op: 'want', serial: web.serial, kinds: ['net'] }]);
    await start(machine, web, machine.request());
    expect(web.kinds).toEqual(['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup']);
    await start(machine, machine.container('db'), machine.request(), ['uts']);
    expect(machine.container('db').kinds).toEqual(['uts']);
  });

  test('gives the same kinds again the next time, also after another daemon came', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request(), ['uts', 'net']);
    await stop(machine, web, { pid: OUTSIDE, uid: 0 });
    const next = machine.nextDaemon();
    await start(next, next.container('web'), next.request());
    expect(next.container('web').kinds).toEqual(['uts', 'net']);
  });

  test('has nothing to do for one that runs', async () => {
    using machine = new FakeMachine();
    await Promise.all([1, 2].map(() => start(machine, machine.container('web'), machine.request())));
    expect(machine.starts).toHaveLength(1);
  });

  test('EBUSY for one that runs with other namespaces', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await start(machine, web, machine.request());
    await expect(start(machine, web, machine.request(), ['net'])).rejects.toMatchObject({ errno: 'EBUSY' });
  });

  test('EBUSY below a frozen container, naming it', async () => {
    using machine = new FakeMachine();
    await start(machine, machine.container('web'), machine.request());
    await freeze(machine, machine.container('web'), { pid: OUTSIDE, uid: 0 });
    await expect(start(machine, machine.container('web/job'), machine.request())).rejects.toMatchObject({
      errno: 'EBUSY',
      message: expect.stringContaining('"web" is frozen') as string,
    });
  });

  test('a start that fails leaves no process, no cgroup and no change', async () => {
    using machine = new FakeMachine();
    const job = machine.container('web/job');
    machine.beforeStart = ({ cgroupDir }) => {
      machine.spawn(cgroupDir);
      throw new FsError('ENOMEM', 'no room');
    };
    await expect(start(machine, job, machine.request())).rejects.toMatchObject({ errno: 'ENOMEM' });
    expect([job.phase, machine.cgroupfs.processes.size]).toEqual(['declared', 0]);
    expect(machine.files.existsSync(`${machine.cgroupBase}/1`)).toBe(false);
    expect(machine.happened).toEqual(['created web', 'created web/job']);
  });

  test('a start that fails leaves those beside it alone', async () => {
    using machine = new FakeMachine();
    await start(machine, machine.container('web'), machine.request());
    machine.beforeStart = () => {
      throw new FsError('ENOMEM', 'no room');
    };
    await expect(start(machine, machine.container('web/job'), machine.request())).rejects.toThrow('no room');
    expect(machine.container('web').phase).toBe('running');
    expect([...machine.cgroupfs.processes.values()]).toEqual([`${machine.cgroupBase}/1/own`]);
  });

  test('is not in a container around it that ends meanwhile, and takes along what was begun', async () => {
    using machine = new FakeMachine();
    const job = machine.container('web/group/job');
    for (const outer of ['web', 'web/group']) await start(machine, machine.container(outer), machine.request());
    machine.beforeStart = ({ parentInit, cgroupDir }) => {
      if (parentInit === 0) return;
      machine.spawn(cgroupDir);
      machine.kill(parentInit as Pid);
      throw new FsError('ECANCELED', 'killed while starting');
    };
    await start(machine, job, machine.request());
    expect(machine.starts.slice(-3).map(({ parentInit, path }) => [parentInit > 0, path])).toEqual([
      [true, 'job'],
      [true, 'group/job'],
      [false, 'web/group/job'],
    ]);
    const alive = ['web', 'web/group', 'web/group/job'].map((at) => machine.container(at).init !== undefined);
    expect(alive).toEqual([false, false, true]);
  });

  test('makes anew the cgroup that an earlier life left, since it was killed', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    const leftover = machine.cgroupfs.cgroup(`${machine.cgroupOf(web)}/own/left`);
    await start(machine, web, machine.request());
    expect(machine.files.existsSync(leftover)).toBe(false);
  });

  test('ENOENT for one that was removed while it waited', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    let letFail: (() => void) | undefined;
    machine.beforeStart = () =>
      new Promise((_, reject) => {
        letFail = () => {
          reject(new FsError('ENOMEM', 'no room'));
        };
      });
    const first = start(machine, web, machine.request());
    const removed = remove(machine, web, machine.request(), () => undefined);
    const second = start(machine, web, machine.request());
    await new Promise(setImmediate);
    letFail?.();
    machine.beforeStart = () => undefined;
    await expect(first).rejects.toMatchObject({ errno: 'ENOMEM' });
    await removed;
    await expect(second).rejects.toMatchObject({ errno: 'ENOENT' });
    expect([machine.starts.length, machine.cgroupfs.processes.size]).toEqual([1, 0]);
  });
});
