import { describe, expect, test } from 'vitest';
import type { Container } from '../../../src/container/container.ts';
import { pathOf } from '../../../src/container/container.ts';
import { freeze } from '../../../src/container/freeze.ts';
import { rename } from '../../../src/container/rename.ts';
import { start } from '../../../src/container/start.ts';
import type { Pid } from '../../../src/ids.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

const [NOREPLACE, EXCHANGE] = [1, 2] as const;

async function running(machine: FakeMachine, path: string): Promise<Container> {
  const container = machine.container(path);
  await start(machine, container, machine.request());
  return container;
}

/** `mv FROM TO`, by a process of the machine itself. */
async function mv(
  machine: FakeMachine,
  from: string,
  to: string,
  { flags = 0, pid = machine.spawn('/sys/fs/cgroup/shell'), isEmpty = true } = {},
): Promise<void> {
  const [name, ...above] = to.split('/').reverse();
  const parent = above.length > 0 ? machine.container(above.reverse().join('/')) : machine.store.registry.root;
  const destination = { parent, name: name!, flags };
  await rename(machine, machine.container(from), destination, machine.request({ pid }), () => isEmpty);
}

const paths = (machine: FakeMachine, ...containers: Container[]) =>
  containers.map((container) => machine.store.registry.get(container.serial) && pathOf(container));

describe('rename that had to wait', () => {
  test.each([
    ['what it renames', 'a'],
    ['where it goes to', 'b'],
  ])('is ENOENT if %s was removed meanwhile', async (_, gone) => {
    using machine = new FakeMachine();
    const [a, b] = [machine.container('a'), machine.container('b')];
    let end = (): void => undefined;
    const other = machine.locks.hold([a, b], 'work', () => new Promise<void>((resolve) => (end = resolve)));
    const renamed = rename(machine, a, { parent: b, name: 'c', flags: 0 }, machine.request(), () => true);
    const { serial } = gone === 'a' ? a : b;
    machine.store.commit([{ op: 'drop', serial, at: { sec: 1, nsec: 0 } }]);
    end();
    await other;
    await expect(renamed).rejects.toMatchObject({ errno: 'ENOENT' });
    expect(machine.store.registry.size).toBe(2);
  });
});

describe('rename below the same parent', () => {
  test('gives another name; nothing that runs notices', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const before = machine.cgroupfs.writes.length;
    await mv(machine, 'web', 'www');
    expect([paths(machine, web), web.phase]).toEqual([['www'], 'running']);
    expect(machine.cgroupfs.writes.length).toBe(before);
    expect(machine.happened.at(-1)).toBe('renamed www web');
  });

  test('does nothing when the name is the same', async () => {
    using machine = new FakeMachine();
    machine.container('web');
    await mv(machine, 'web', 'web');
    expect(machine.happened).toEqual(['created web']);
  });

  test('need not wait for what is under way inside', async () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    let go = () => {};
    machine.beforeStart = () => new Promise((resolve) => (go = resolve));
    const started = start(machine, machine.container('web/job'), machine.request());
    await mv(machine, 'web', 'www');
    expect(paths(machine, web)).toEqual(['www']);
    go();
    await started;
  });
});

describe('rename onto a name that is there', () => {
  test('replaces an empty container that does not run', async () => {
    using machine = new FakeMachine();
    const [web, www] = [machine.container('web'), machine.container('www')];
    await mv(machine, 'web', 'www');
    expect(paths(machine, web, www)).toEqual(['www', undefined]);
    expect(machine.happened.slice(2)).toEqual(['removed www', 'renamed www web']);
  });

  test('ENOTEMPTY for one that is not empty or runs', async () => {
    using machine = new FakeMachine();
    machine.container('web');
    await running(machine, 'www');
    await expect(mv(machine, 'web', 'www')).rejects.toMatchObject({ errno: 'ENOTEMPTY' });
    machine.container('full');
    await expect(mv(machine, 'web', 'full', { isEmpty: false })).rejects.toMatchObject({ errno: 'ENOTEMPTY' });
  });

  test('EEXIST with RENAME_NOREPLACE', async () => {
    using machine = new FakeMachine();
    machine.container('web');
    machine.container('www');
    await expect(mv(machine, 'web', 'www', { flags: NOREPLACE })).rejects.toMatchObject({ errno: 'EEXIST' });
    await mv(machine, 'web', 'free', { flags: NOREPLACE });
    expect(paths(machine, machine.container('free'))).toEqual(['free']);
  });

  test('RENAME_EXCHANGE swaps two that run', async () => {
    using machine = new FakeMachine();
    const [web, www] = [await running(machine, 'web'), await running(machine, 'www')];
    await mv(machine, 'web', 'www', { flags: EXCHANGE });
    expect(paths(machine, web, www)).toEqual(['www', 'web']);
    expect(machine.happened.slice(-2).sort()).toEqual(['renamed web www', 'renamed www web']);
  });

  test('ENOENT for an exchange with nothing', async () => {
    using machine = new FakeMachine();
    machine.container('web');
    await expect(mv(machine, 'web', 'www', { flags: EXCHANGE })).rejects.toMatchObject({ errno: 'ENOENT' });
  });
});

describe('rename', () => {
  test.each([
    ['.web', 'EINVAL'],
    ['a\nb', 'EINVAL'],
    ['x'.repeat(256), 'ENAMETOOLONG'],
  ])('to %j is refused, and changes nothing', async (name, errno) => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    await expect(mv(machine, 'web', name)).rejects.toMatchObject({ errno });
    expect(paths(machine, web)).toEqual(['web']);
  });

  test.each([3, 4, 8])('EINVAL for the flags %i', async (flags) => {
    using machine = new FakeMachine();
    machine.container('web');
    await expect(mv(machine, 'web', 'www', { flags })).rejects.toMatchObject({ errno: 'EINVAL' });
  });

  test('EINVAL into itself, or for an exchange with one inside', async () => {
    using machine = new FakeMachine();
    machine.container('web/job');
    await expect(mv(machine, 'web', 'web/job/web')).rejects.toMatchObject({ errno: 'EINVAL' });
    await expect(mv(machine, 'web', 'web/job', { flags: EXCHANGE })).rejects.toMatchObject({ errno: 'EINVAL' });
  });
});

describe('rename below another parent', () => {
  test('moves the cgroup with its processes and what is below, and they go on', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const job = await running(machine, 'web/job');
    const worker = machine.spawn(job);
    machine.container('group');
    await mv(machine, 'web', 'group/web');
    expect(paths(machine, web, job)).toEqual(['group/web', 'group/web/job']);
    expect(machine.cgroupfs.processes.get(web.init!.pid)).toBe(`${machine.cgroupOf(web)}/own`);
    expect(machine.cgroupfs.processes.get(worker)).toBe(`${machine.cgroupBase}/3/1/2/own`);
    expect(machine.files.existsSync(`${machine.cgroupBase}/1`)).toBe(false);
    expect(machine.files.readFileSync(`${machine.cgroupOf(web)}/cgroup.freeze`, 'utf8')).toBe('0\n');
    expect([web.phase, web.moving]).toEqual(['running', false]);
  });

  test('leaves frozen what is frozen', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.container('group');
    await freeze(machine, web, { pid: 1 as Pid, uid: 0 });
    await mv(machine, 'web', 'group/web');
    expect(machine.files.readFileSync(`${machine.cgroupOf(web)}/cgroup.freeze`, 'utf8')).toBe('1\n');
    expect(web.phase).toBe('frozen');
  });

  test('swaps cgroups in an exchange', async () => {
    using machine = new FakeMachine();
    const job = await running(machine, 'web/job');
    const db = await running(machine, 'db');
    await mv(machine, 'web/job', 'db', { flags: EXCHANGE });
    expect(paths(machine, job, db)).toEqual(['db', 'web/job']);
    for (const { init, serial } of [job, db]) {
      const directory = machine.cgroupOf(machine.store.registry.get(serial)!);
      expect(machine.cgroupfs.processes.get(init!.pid)).toBe(`${directory}/own`);
    }
  });

  test.each([0, EXCHANGE])('a move that fails (flags %i) leaves all where it was, running', async (flags) => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const [job, other] = [await running(machine, 'group/job'), await running(machine, 'group/other')];
    const refused =
      flags === EXCHANGE ? `${machine.cgroupBase}/${job.serial}/own` : `${machine.cgroupOf(job.parent!)}/1/own`;
    machine.cgroupfs.refusals.set(`${refused}/cgroup.procs`, 'EBUSY');
    await expect(mv(machine, 'web', flags === EXCHANGE ? 'group/job' : 'group/web', { flags })).rejects.toMatchObject({
      errno: 'EBUSY',
    });
    expect(paths(machine, web, job, other)).toEqual(['web', 'group/job', 'group/other']);
    for (const container of [web, job, other]) {
      const directory = machine.cgroupOf(container);
      expect(machine.cgroupfs.processes.get(container.init!.pid)).toBe(`${directory}/own`);
      expect(machine.files.readFileSync(`${directory}/cgroup.freeze`, 'utf8')).toBe('0\n');
      expect([container.phase, container.moving]).toEqual(['running', false]);
    }
  });

  test('EPERM outwards for a caller inside; nothing moves', async () => {
    using machine = new FakeMachine();
    const job = await running(machine, 'web/job');
    const inside = machine.spawn(job);
    await expect(mv(machine, 'web/job', 'job', { pid: inside })).rejects.toMatchObject({ errno: 'EPERM' });
    expect([paths(machine, job), machine.cgroupfs.processes.get(inside)]).toEqual([
      ['web/job'],
      `${machine.cgroupOf(job)}/own`,
    ]);
  });

  test('outwards is for who is in a container that holds both places', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const job = machine.container('web/group/job');
    const [member, stranger] = [machine.spawn(web), machine.spawn(await running(machine, 'db'))];
    await expect(mv(machine, 'web/group/job', 'web/job', { pid: stranger })).rejects.toMatchObject({ errno: 'EPERM' });
    await mv(machine, 'web/group/job', 'web/job', { pid: member });
    expect(paths(machine, job)).toEqual(['web/job']);
  });

  test('deeper is for everybody who may write both', async () => {
    using machine = new FakeMachine();
    machine.container('web');
    const job = machine.container('job');
    const stranger = machine.spawn(await running(machine, 'db'));
    await mv(machine, 'job', 'web/job', { pid: stranger });
    expect(paths(machine, job)).toEqual(['web/job']);
  });

  test('an exchange takes nobody outwards either', async () => {
    using machine = new FakeMachine();
    machine.container('db');
    const job = await running(machine, 'web/job');
    await expect(mv(machine, 'db', 'web/job', { flags: EXCHANGE, pid: machine.spawn(job) })).rejects.toMatchObject({
      errno: 'EPERM',
    });
  });
});
