import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Container } from '../../../src/container/container.ts';
import { enter } from '../../../src/container/enter.ts';
import { enteredBelow } from '../../../src/container/entered.ts';
import { followLeaders, requireMayLead } from '../../../src/container/leaders.ts';
import { start } from '../../../src/container/start.ts';
import { FsError } from '../../../src/errno.ts';
import type { Pid } from '../../../src/ids.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

/** Time enough for several looks. */
const LOOKS_MS = 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function running(machine: FakeMachine, name: string): Promise<Container> {
  const container = machine.container(name);
  await start(machine, container, machine.request());
  return container;
}

/** A process that has entered as the container's leader. */
function leader(machine: FakeMachine, container: Container): Pid {
  const pid = machine.spawn(container);
  machine.store.commit([
    { op: 'enter', serial: container.serial, pid, startTime: startTimeOf(machine, pid), by: 'state' },
  ]);
  return pid;
}

function startTimeOf(machine: FakeMachine, pid: Pid): number {
  return Number(machine.files.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]);
}

const names = (machine: FakeMachine) => [...machine.store.registry.root.children.keys()];

describe('followLeaders', () => {
  test('removes a container, and kills what is in it, when its leader has ended, and no other', async () => {
    using machine = new FakeMachine();
    followLeaders(machine);
    const [login, other] = [await running(machine, 'login'), await running(machine, 'other')];
    const [first] = [leader(machine, login), leader(machine, other)];
    const left = machine.spawn(login);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(machine)).toEqual(['login', 'other']);
    machine.kill(first);
    expect(enteredBelow(machine, login)).toEqual([]); // .proxy is listed before it is looked at
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(machine)).toEqual(['other']);
    expect(machine.cgroupfs.processes.has(left)).toBe(false);
    expect(machine.happened).toContain('removed login');
  });

  test('waits for the last of several leaders', async () => {
    using machine = new FakeMachine();
    followLeaders(machine);
    const login = await running(machine, 'login');
    const [first, second] = [leader(machine, login), leader(machine, login)];
    machine.kill(second);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(machine)).toEqual(['login']);
    expect(enteredBelow(machine, login).map(({ pid }) => pid)).toEqual([first]);
    machine.kill(first);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(machine)).toEqual([]);
  });

  test('removes what a leader left that ended while there was no daemon', async () => {
    using machine = new FakeMachine();
    machine.killUnheard(leader(machine, await running(machine, 'login')));
    const next = machine.nextDaemon();
    followLeaders(next);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(next)).toEqual([]);
  });

  test('leaves it alone once the leader is unlinked', async () => {
    using machine = new FakeMachine();
    followLeaders(machine);
    const login = await running(machine, 'login');
    const pid = leader(machine, login);
    machine.store.commit([{ op: 'leave', serial: login.serial, pid }]);
    machine.kill(pid);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(machine)).toEqual(['login']);
  });
});

describe('followLeaders, looking', () => {
  test('begins anew with a leader that comes when it has long been looking at nothing', async () => {
    using machine = new FakeMachine();
    followLeaders(machine);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(vi.getTimerCount()).toBe(0);
    const pid = leader(machine, await running(machine, 'login'));
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    machine.kill(pid);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(machine)).toEqual([]);
  });

  test('leaves alone what somebody entered otherwise', async () => {
    using machine = new FakeMachine();
    followLeaders(machine);
    const web = await running(machine, 'web');
    const led = leader(machine, web);
    const pid = machine.spawn(web);
    machine.store.commit([
      { op: 'leave', serial: web.serial, pid: led },
      { op: 'enter', serial: web.serial, pid, startTime: startTimeOf(machine, pid), by: 'symlink' },
    ]);
    machine.kill(pid);
    followLeaders(machine);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(machine)).toEqual(['web']);
  });

  test('removes once, however often it looks meanwhile, tries again when that failed, and says so once', async () => {
    using machine = new FakeMachine();
    followLeaders(machine);
    const login = await running(machine, 'login');
    const pid = leader(machine, login);
    const hold = vi.spyOn(machine.locks, 'hold');
    let end: (error?: Error) => void = () => undefined;
    const fails = () =>
      new Promise<never>((_, reject) => {
        end = (error = new Error('in the way')) => {
          reject(error);
        };
      });
    hold.mockImplementation(fails);
    machine.kill(pid);
    for (let time = 1; time <= 3; time++) {
      await vi.advanceTimersByTimeAsync(LOOKS_MS);
      expect(hold).toHaveBeenCalledTimes(time);
      end();
    }
    expect(machine.logged.filter(([level]) => level === 'warn')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    hold.mockRestore();
    end(new FsError('ENOENT', 'gone'));
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(names(machine)).toEqual([]);
  });

  test('says nothing where somebody else has removed it', async () => {
    using machine = new FakeMachine();
    followLeaders(machine);
    const pid = leader(machine, await running(machine, 'login'));
    vi.spyOn(machine.locks, 'hold').mockRejectedValue(new FsError('ENOENT', 'gone'));
    machine.kill(pid);
    await vi.advanceTimersByTimeAsync(LOOKS_MS);
    expect(machine.logged.filter(([level]) => level === 'warn')).toEqual([]);
  });
});

describe('requireMayLead', () => {
  const ALICE = 1001;
  test.each([
    ['root', 0, ALICE, 1002, true],
    ['who owns it and where it is', ALICE, ALICE, ALICE, true],
    ['who owns it alone', ALICE, ALICE, 0, false],
    ['who owns only where it is', ALICE, 0, ALICE, false],
    ['another one', ALICE, 1002, 1002, false],
  ])('%s', (_, uid, owner, above, may) => {
    using machine = new FakeMachine();
    const login = machine.container('home/login');
    const at = login.ctime;
    machine.store.commit([
      { op: 'attr', serial: login.serial, uid: owner, at },
      { op: 'attr', serial: login.parent!.serial, uid: above, at },
    ]);
    const ask = () => {
      requireMayLead(login, 'state', uid, 'enter "home/login"');
    };
    if (may) ask();
    else expect(ask).toThrow(expect.objectContaining({ errno: 'EACCES' }));
    requireMayLead(login, 'symlink', uid, 'enter "home/login"');
  });
});

describe('entering as a leader', () => {
  test('is for root and for who owns the container and where it is', async () => {
    using machine = new FakeMachine();
    const login = await running(machine, 'login');
    const alice = machine.request({ pid: machine.spawn(login), uid: 1001, gid: 1001 });
    const wish = { container: login, by: 'state' } as const;
    await expect(enter(machine, wish, machine.spawn(login), alice)).rejects.toMatchObject({ errno: 'EACCES' });
  });

  test('is for good: a leader goes nowhere else', async () => {
    using machine = new FakeMachine();
    const login = await running(machine, 'login');
    const deeper = { container: await running(machine, 'login/job'), by: 'symlink' } as const;
    const pid = leader(machine, login);
    const ALL = 0x1ff_ffff_ffffn;
    const asker = machine.spawn(login, { capPermitted: ALL, capEffective: ALL });
    machine.kernel.namespaces.set(`${asker}/user`, { inode: 6 });
    await expect(enter(machine, deeper, pid, machine.request({ pid: asker }))).rejects.toThrow('it leads "login"');
  });
});
