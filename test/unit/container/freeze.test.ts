import { describe, expect, test } from 'vitest';
import { isFrozen } from '../../../src/cgroup/cgroup.ts';
import { stop } from '../../../src/container/destroy.ts';
import { freeze, thaw } from '../../../src/container/freeze.ts';
import { start } from '../../../src/container/start.ts';
import { ROOT_SERIAL, type Pid, type Serial } from '../../../src/ids.ts';
import { now } from '../../../src/time.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

const ROOT = { uid: 0 };
const OUTSIDE = 1 as Pid;

async function running(machine: FakeMachine, path: string) {
  const container = machine.container(path);
  await start(machine, container, machine.request());
  return container;
}

describe('freeze', () => {
  test('stops the subtree where it is, and says so once', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    await freeze(machine, web, { pid: OUTSIDE, uid: 0 });
    await freeze(machine, web, { pid: OUTSIDE, uid: 0 });
    expect([web.phase, isFrozen(machine.files, machine.cgroupOf(web))]).toEqual(['frozen', true]);
    expect(machine.happened.slice(2)).toEqual(['frozen web']);
  });

  test('EBUSY for what does not run, with the remedy', async () => {
    using machine = new FakeMachine();
    await expect(freeze(machine, machine.container('web'), { pid: OUTSIDE, uid: 0 })).rejects.toMatchObject({
      errno: 'EBUSY',
      message: expect.stringContaining('start it') as string,
    });
  });

  test('EBUSY when who asks is inside, or further inside', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const caller = machine.spawn(await running(machine, 'web/job'));
    await expect(freeze(machine, web, { pid: caller, uid: 0 })).rejects.toMatchObject({ errno: 'EBUSY' });
    expect([web.phase, isFrozen(machine.files, machine.cgroupOf(web))]).toEqual(['running', false]);
  });

  test('EPERM, both ways, for who owns what was discovered but not all that runs in it', async () => {
    using machine = new FakeMachine();
    const pid = machine.spawn('/sys/fs/cgroup/made', { uids: [0, 0, 0, 0] });
    const init = { pid, startTime: 1 };
    const node = { serial: 9 as Serial, parent: ROOT_SERIAL, name: 'made', mode: 0o755, uid: 1000, gid: 1000 };
    machine.store.commit([{ op: 'found', ...node, key: 'k', mark: 'm', init, kinds: [], at: now() }]);
    machine.found = { ...machine.found, processesBelow: () => Promise.resolve([pid]), isBelow: (each) => each === pid };
    const made = machine.store.registry.get(node.serial)!;
    const alice = { pid: OUTSIDE, uid: 1000 };
    await expect(freeze(machine, made, alice)).rejects.toMatchObject({ errno: 'EPERM' });
    await freeze(machine, made, { pid: OUTSIDE, uid: 0 });
    await expect(thaw(machine, made, alice)).rejects.toMatchObject({ errno: 'EPERM' });
    expect([made.phase, isFrozen(machine.files, '/sys/fs/cgroup/made')]).toEqual(['frozen', true]);
  });

  test('EBUSY when the daemon lives in it', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.spawn(web, { pid: process.pid });
    await expect(freeze(machine, web, { pid: OUTSIDE, uid: 0 })).rejects.toMatchObject({ errno: 'EBUSY' });
  });
});

describe('thaw', () => {
  test('lets it go on', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    await freeze(machine, web, { pid: OUTSIDE, uid: 0 });
    await thaw(machine, web, ROOT);
    expect([web.phase, isFrozen(machine.files, machine.cgroupOf(web))]).toEqual(['running', false]);
    expect(machine.happened.slice(2)).toEqual(['frozen web', 'thawed web']);
  });

  test('has nothing to do for what runs', async () => {
    using machine = new FakeMachine();
    await thaw(machine, await running(machine, 'web'), ROOT);
    expect(machine.happened).toEqual(['created web', 'started web']);
  });

  test('EBUSY where one above is the frozen one, naming it', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const job = await running(machine, 'web/job');
    await freeze(machine, web, { pid: OUTSIDE, uid: 0 });
    await expect(thaw(machine, job, ROOT)).rejects.toMatchObject({
      errno: 'EBUSY',
      message: expect.stringContaining('"web" is frozen') as string,
    });
  });

  test('makes nothing run that was stopped while it waited', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    await running(machine, 'web/job');
    await freeze(machine, web, { pid: OUTSIDE, uid: 0 });
    const [, thawed] = await Promise.allSettled([
      stop(machine, web, { pid: OUTSIDE, uid: 0 }),
      thaw(machine, web, ROOT),
    ]);
    expect(thawed).toMatchObject({ status: 'rejected', reason: { errno: 'EBUSY' } });
    expect(web.phase).toBe('stopped');
  });
});
