import { describe, expect, test } from 'vitest';
import { isFrozen } from '../../../src/cgroup/cgroup.ts';
import { stop } from '../../../src/container/destroy.ts';
import { freeze, thaw } from '../../../src/container/freeze.ts';
import { start } from '../../../src/container/start.ts';
import type { Pid } from '../../../src/ids.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

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
    await freeze(machine, web, OUTSIDE);
    await freeze(machine, web, OUTSIDE);
    expect([web.phase, isFrozen(machine.files, machine.cgroupOf(web))]).toEqual(['frozen', true]);
    expect(machine.happened.slice(2)).toEqual(['frozen web']);
  });

  test('EBUSY for what does not run, with the remedy', async () => {
    using machine = new FakeMachine();
    await expect(freeze(machine, machine.container('web'), OUTSIDE)).rejects.toMatchObject({
      errno: 'EBUSY',
      message: expect.stringContaining('start it') as string,
    });
  });

  test('EBUSY when who asks is inside, or further inside', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const caller = machine.spawn(await running(machine, 'web/job'));
    await expect(freeze(machine, web, caller)).rejects.toMatchObject({ errno: 'EBUSY' });
    expect([web.phase, isFrozen(machine.files, machine.cgroupOf(web))]).toEqual(['running', false]);
  });

  test('EBUSY when the daemon lives in it', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.spawn(web, { pid: process.pid });
    await expect(freeze(machine, web, OUTSIDE)).rejects.toMatchObject({ errno: 'EBUSY' });
  });
});

describe('thaw', () => {
  test('lets it go on', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    await freeze(machine, web, OUTSIDE);
    await thaw(machine, web);
    expect([web.phase, isFrozen(machine.files, machine.cgroupOf(web))]).toEqual(['running', false]);
    expect(machine.happened.slice(2)).toEqual(['frozen web', 'thawed web']);
  });

  test('has nothing to do for what runs', async () => {
    using machine = new FakeMachine();
    await thaw(machine, await running(machine, 'web'));
    expect(machine.happened).toEqual(['created web', 'started web']);
  });

  test('EBUSY where one above is the frozen one, naming it', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const job = await running(machine, 'web/job');
    await freeze(machine, web, OUTSIDE);
    await expect(thaw(machine, job)).rejects.toMatchObject({
      errno: 'EBUSY',
      message: expect.stringContaining('"web" is frozen') as string,
    });
  });

  test('makes nothing run that was stopped while it waited', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    await running(machine, 'web/job');
    await freeze(machine, web, OUTSIDE);
    const [, thawed] = await Promise.allSettled([stop(machine, web, { pid: OUTSIDE, uid: 0 }), thaw(machine, web)]);
    expect(thawed).toMatchObject({ status: 'rejected', reason: { errno: 'EBUSY' } });
    expect(web.phase).toBe('stopped');
  });
});
