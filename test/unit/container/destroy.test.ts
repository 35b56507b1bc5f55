import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Container } from '../../../src/container/container.ts';
import { remove, stop } from '../../../src/container/destroy.ts';
import { freeze } from '../../../src/container/freeze.ts';
import { start } from '../../../src/container/start.ts';
import type { Pid, Serial } from '../../../src/ids.ts';
import { stateFiles } from '../../../src/instance.ts';
import { now } from '../../../src/time.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

const OUTSIDE = 1 as Pid;
const empty = () => undefined;

async function running(machine: FakeMachine, path: string): Promise<Container> {
  const container = machine.container(path);
  await start(machine, container, machine.request());
  return container;
}

describe('stop', () => {
  test('kills all of the subtree, keeps the nodes, and says how each ended', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const job = await running(machine, 'web/job');
    machine.spawn(job);
    const db = await running(machine, 'db');
    await stop(machine, web, { pid: OUTSIDE, uid: 0 });
    expect([web, job, db].map(({ phase, exit }) => [phase, exit])).toEqual([
      ['stopped', 137],
      ['stopped', 137],
      ['running', undefined],
    ]);
    expect([...machine.cgroupfs.processes.values()]).toEqual([`${machine.cgroupOf(db)}/own`]);
    expect(machine.files.existsSync(machine.cgroupOf(web))).toBe(false);
    expect(machine.happened.filter((line) => line.startsWith('killed'))).toEqual(['killed web', 'killed web/job']);
  });

  test('kills what is frozen', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    await freeze(machine, web, { pid: OUTSIDE, uid: 0 });
    await stop(machine, web, { pid: OUTSIDE, uid: 0 });
    expect([web.phase, machine.cgroupfs.processes.size]).toEqual(['stopped', 0]);
  });

  test('kills the grandchildren of an init that is dead', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const init = web.init!.pid;
    machine.spawn(web);
    machine.kill(init);
    expect([web.phase, web.exit]).toEqual(['running', 137]);
    await stop(machine, web, { pid: OUTSIDE, uid: 0 });
    expect([web.phase, machine.cgroupfs.processes.size]).toEqual(['stopped', 0]);
  });

  test('does nothing to what never ran', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await stop(machine, web, { pid: OUTSIDE, uid: 0 });
    expect([web.phase, machine.happened]).toEqual(['declared', ['created web']]);
  });

  test('asked from inside answers at once, since who asks dies only when answered', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const caller = machine.spawn(web);
    machine.cgroupfs.stubborn.add(caller);
    const before = performance.now();
    await stop(machine, web, { pid: caller, uid: 0 });
    expect(performance.now() - before).toBeLessThan(2_000);
    expect([...machine.cgroupfs.processes.keys()]).toEqual([caller]);
    machine.kill(caller);
    await expect.poll(() => web.phase, { timeout: 3_000 }).toBe('stopped');
  });

  test('EBUSY when the daemon lives in it, and nobody is killed', async () => {
    using machine = new FakeMachine();
    machine.spawn(await running(machine, 'web/job'), { pid: process.pid });
    await expect(stop(machine, machine.container('web'), { pid: OUTSIDE, uid: 0 })).rejects.toMatchObject({
      errno: 'EBUSY',
    });
    expect(machine.cgroupfs.processes.has(process.pid)).toBe(true);
  });
});

describe('remove', () => {
  test('removes an empty directory', async () => {
    using machine = new FakeMachine();
    await remove(machine, machine.container('web'), machine.request(), empty);
    expect([machine.store.registry.size, machine.happened]).toEqual([1, ['created web', 'removed web']]);
  });

  test('kills what runs, with its cgroup and its files', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const files = Object.values(stateFiles(machine.instance, web.serial));
    for (const file of files) writeFileSync(file, 'text');
    await remove(machine, web, machine.request(), empty);
    expect([machine.cgroupfs.processes.size, machine.store.registry.get(web.serial)]).toEqual([0, undefined]);
    expect([machine.files.existsSync(machine.cgroupOf(web)), files.some((file) => existsSync(file))]).toEqual([
      false,
      false,
    ]);
    expect(machine.happened.slice(2)).toEqual(['exited web 137', 'killed web', 'removed web']);
  });

  test('kills what was discovered in a container that has ended itself, wherever it lives', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    await stop(machine, web, { pid: OUTSIDE, uid: 0 });
    const pid = machine.spawn('/sys/fs/cgroup/elsewhere');
    const node = { serial: 9 as Serial, parent: web.serial, name: 'unnamed1', mode: 0o755, uid: 0, gid: 0 };
    machine.store.commit([{ op: 'found', ...node, key: 'k', mark: 'm', kinds: [], at: now() }]);
    const asked: Container[] = [];
    machine.found = {
      ...machine.found,
      processesBelow: (container) => Promise.resolve(asked.push(container) === 1 ? [pid] : []),
      isBelow: (each) => each === pid,
    };
    await remove(machine, web, machine.request(), empty);
    expect(machine.kernel.calls).toContainEqual(['pidfdOpen', pid]);
    expect(machine.store.registry.size).toBe(1);
  });

  test('ENOTEMPTY is asked for when its turn comes, and changes nothing', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    const started = start(machine, web, machine.request());
    const left = () => (web.phase === 'declared' ? undefined : '.state');
    const removed = remove(machine, web, machine.request(), left);
    await started;
    await expect(removed).rejects.toMatchObject({
      errno: 'ENOTEMPTY',
      message: expect.stringContaining('".state" is in it') as string,
    });
    expect(web.phase).toBe('running');
  });

  test('of two at once, one has it and the other says ENOENT', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const both = [1, 2].map(() => remove(machine, web, machine.request(), empty));
    const [first, second] = await Promise.allSettled(both);
    expect(first?.status).toBe('fulfilled');
    expect(second).toMatchObject({ status: 'rejected', reason: { errno: 'ENOENT' } });
  });

  test('EBUSY for the machine, and for what the daemon lives in', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.spawn(web, { pid: process.pid });
    for (const container of [machine.store.registry.root, web]) {
      await expect(remove(machine, container, machine.request(), empty)).rejects.toMatchObject({ errno: 'EBUSY' });
    }
    expect(machine.store.registry.size).toBe(2);
  });

  test('goes on without those who do not die at once, and clears up behind them', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.cgroupfs.stubborn.add(machine.spawn(web));
    await remove(machine, web, machine.request(), empty);
    expect(machine.store.registry.get(web.serial)).toBeUndefined();
    machine.cgroupfs.stubborn.clear();
    await expect.poll(() => machine.files.existsSync(`${machine.cgroupBase}/${web.serial}`)).toBe(false);
  }, 10_000);

  test('goes on where the killing fails, and tries that again', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const node = { serial: 9 as Serial, parent: web.serial, name: 'unnamed1', mode: 0o755, uid: 0, gid: 0 };
    machine.store.commit([{ op: 'found', ...node, key: 'k', mark: 'm', kinds: [], at: now() }]);
    const directory = machine.cgroupOf(web);
    machine.spawn(`${directory}/own`);
    let asked = 0;
    const processesBelow = () => (asked++ === 0 ? Promise.reject(new Error('EIO')) : Promise.resolve([]));
    machine.found = { ...machine.found, processesBelow };
    await remove(machine, web, machine.request(), empty);
    expect(machine.store.registry.size).toBe(1);
    await expect.poll(() => machine.files.existsSync(directory)).toBe(false);
  });

  test('remembers the request from the moment that kills', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const request = machine.request();
    const phases: unknown[] = [];
    machine.store.onCommit(() => phases.push([web.phase, machine.store.wasDone(request.unique)]));
    await remove(machine, web, request, empty);
    expect(phases[0]).toEqual(['removing', true]);
  });
});
