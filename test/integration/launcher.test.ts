import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { connect } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startWords } from '../../src/container/launcher-start.ts';
import { FsError } from '../../src/errno.ts';
import { cloneFlags, DEFAULT_KINDS } from '../../src/namespaces.ts';
import { encodeFrame } from '../../src/container/launcher-frames.ts';
import { Launched, until } from '../support/launched.ts';
import { pinned, signal } from '../support/pinned.ts';

let machine: Launched;
beforeAll(async () => {
  machine = await Launched.open();
});
afterAll(() => machine[Symbol.asyncDispose]());

const exitOf = (pid: number) => machine.exits.filter((exit) => exit.pid === pid);

/** One that has ended and is not waited for, and its parent, in the namespaces of this test. */
function deadAndAlive() {
  const parent = spawn('perl', ['-e', '$| = 1; my $child = fork; exit unless $child; print "$child\\n"; sleep 1000']);
  const pids = once(parent.stdout, 'data').then(([text]) => ({
    dead: Number(String(text)),
    alive: parent.pid!,
  }));
  return { pids, [Symbol.dispose]: () => parent.kill('SIGKILL') };
}

describe('start for an owner in namespaces that are there', () => {
  const owner = { uid: 1000, gid: 1000, uidMap: '', gidMap: '', processes: 100 };

  it.each([
    ['dead', 'ESRCH', 'look at the parent’s namespaces'],
    ['alive', 'EPERM', 'leave root’s user namespace'],
  ] as const)(
    'is refused where nothing would take root’s rights from him: a parent that is %s',
    async (who, errno, step) => {
      using parents = deadAndAlive();
      const parentInit = (await parents.pids)[who];
      await until('the child has ended', async () => {
        const { dead } = await parents.pids;
        return fs.readFileSync(`/proc/${dead}/stat`, 'utf8').includes(') Z ');
      });
      const spec = machine.spec({ parentInit, owner, flags: cloneFlags(['uts', 'cgroup']) });
      await expect(machine.launcher.start(spec)).rejects.toMatchObject({
        errno,
        message: expect.stringContaining(step.replaceAll('’', "'")) as string,
      });
      expect(fs.readFileSync(`${spec.cgroupDir}/cgroup.procs`, 'utf8')).toBe('');
    },
  );
});

describe('start', () => {
  it('answers with the pid and start time of a process in the given cgroup', async () => {
    const { pid, startTime, spec } = await machine.start();
    expect(fs.readFileSync(`${spec.cgroupDir}/cgroup.procs`, 'utf8')).toBe(`${pid}\n`);
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]).toBe(String(startTime));
    expect(machine.launcher.inits.get(spec.serial)).toEqual({ pid, startTime });
  });

  it('makes 50 at once, and tells of the end of each', async () => {
    const begun = performance.now();
    const all = await Promise.all(Array.from({ length: 50 }, () => machine.start()));
    console.log(`50 starts at once: ${((performance.now() - begun) / 50).toFixed(2)} ms each`);
    expect(new Set(all.map(({ pid }) => pid)).size).toBe(50);
    for (const { spec } of all) machine.kill(spec.cgroupDir);
    await until('all have ended', () => all.every(({ pid }) => exitOf(pid).length > 0));
    expect(all.map(({ pid }) => exitOf(pid))).toEqual(
      all.map(({ pid, spec: { serial } }) => [{ pid, serial, status: { signal: 9 } }]),
    );
  });

  it('takes the time it takes', async () => {
    const times: number[] = [];
    for (let round = 0; round < 40; round++) {
      const begun = performance.now();
      await machine.start();
      times.push(performance.now() - begun);
    }
    times.sort((a, b) => a - b);
    console.log(`create and start, ms: median ${times[20]!.toFixed(2)}, best ${times[0]!.toFixed(2)}`);
  });

  it('names the step that failed, with its errno, and leaves no process', async () => {
    await expect(
      machine.launcher.start({ ...machine.spec(), cgroupDir: '/sys/fs/cgroup/nonesuch' }),
    ).rejects.toMatchObject({ errno: 'ENOENT', message: expect.stringContaining('open its cgroup') as string });
    const spec = machine.spec({ initSocket: '/nonesuch/sock' });
    await expect(machine.launcher.start(spec)).rejects.toMatchObject({
      errno: 'ENOENT',
      message: `Cannot start "${spec.hostname}": bind its socket: ENOENT`,
    });
    await until('its cgroup is empty', () => fs.readFileSync(`${spec.cgroupDir}/cgroup.procs`, 'utf8') === '');
  });

  it('names the step if ids of an owner cannot be mapped, and leaves no process', async () => {
    const owner = {
      uid: 12_345,
      gid: 12_345,
      uidMap: '0 12345 1\n0 12346 1\n',
      gidMap: '0 12345 1\n',
      processes: 1000,
    };
    const spec = machine.spec({ owner, flags: cloneFlags([...DEFAULT_KINDS, 'user']) });
    await expect(machine.launcher.start(spec)).rejects.toMatchObject({
      errno: 'EINVAL',
      message: expect.stringContaining('map its ids') as string,
    });
    await until('its cgroup is empty', () => fs.readFileSync(`${spec.cgroupDir}/cgroup.procs`, 'utf8') === '');
  });

  it('is ECANCELED in a cgroup that was killed before', async () => {
    const spec = machine.spec();
    machine.kill(spec.cgroupDir);
    await expect(machine.launcher.start(spec)).rejects.toMatchObject({ errno: 'ECANCELED' });
  });

  it('is ESRCH inside a parent of another start time', async () => {
    const { pid, startTime } = await machine.start();
    const spec = machine.spec({ parentInit: pid, parentStartTime: startTime + 1 });
    await expect(machine.launcher.start(spec)).rejects.toMatchObject({ errno: 'ESRCH' });
  });

  it('is EINTR for an aborted request, and what was begun is killed', async () => {
    const spec = machine.spec();
    fs.writeFileSync(`${spec.cgroupDir}/cgroup.freeze`, '1');
    const abort = new AbortController();
    const start = machine.launcher.start(spec, abort.signal);
    const failed = expect(start).rejects.toMatchObject({ errno: 'EINTR' });
    await until('it is in its cgroup', () => fs.readFileSync(`${spec.cgroupDir}/cgroup.procs`, 'utf8') !== '');
    abort.abort();
    await failed;
    await until('its cgroup is empty', () => fs.readFileSync(`${spec.cgroupDir}/cgroup.procs`, 'utf8') === '');
    await expect(machine.launcher.start(spec, AbortSignal.abort())).rejects.toMatchObject({ errno: 'EINTR' });
  });
});

describe('starts that do not end', () => {
  /** So many are under way at once (STARTING_MAX, src/init/launcher.h). */
  const ALL_PLACES = 128;

  /**
   * Begins starts from inside a container, each of whose inits is frozen before it has said who it is: a cancel does not
   * find it.
   */
  async function crowdOf(crowd: Launched) {
    const { pid: parentInit } = await crowd.start();
    const spec = crowd.spec({ parentInit });
    fs.writeFileSync(`${spec.cgroupDir}/cgroup.freeze`, '1');
    let count = 0;
    return async (more: number, signal?: AbortSignal) => {
      count += more;
      const errnos = Promise.all(
        Array.from({ length: more }, () =>
          crowd.launcher
            .start(spec, signal)
            .catch((error: unknown) => (error instanceof FsError ? error.errno : error)),
        ),
      );
      const pids = () => fs.readFileSync(`${spec.cgroupDir}/cgroup.procs`, 'utf8').split('\n').filter(Boolean);
      await until(`${count} hang`, () => pids().length === count);
      return { errnos };
    };
  }

  it('make room for others once they are given up', async () => {
    await using crowd = await Launched.open();
    const hang = await crowdOf(crowd);
    const abort = new AbortController();
    const { errnos } = await hang(ALL_PLACES - 1, abort.signal);
    abort.abort();
    expect(new Set(await errnos)).toEqual(new Set(['EINTR']));
    await hang(1);
    await crowd.start();
  });

  it('make room for others when they are too old, though nobody could be heard who gave them up', async () => {
    await using crowd = await Launched.open();
    const hang = await crowdOf(crowd);
    await hang(ALL_PLACES);
    await expect(crowd.start()).rejects.toMatchObject({ errno: 'ETIMEDOUT' });
    await crowd.start();
  });
});

describe('the launcher', () => {
  it('holds no descriptor but its own, and is in a session of its own', () => {
    const pid = machine.launcherPid;
    const targets = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
    const foreign = targets.filter((target) => !/^(\/dev\/null|socket:.*|anon_inode:\[signalfd\])$/.test(target));
    expect(foreign.sort()).toEqual([`/proc/${pid}/mountinfo`, machine.at('launcher.pid')]);
    expect(fs.readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]).toBe(String(pid));
    expect(fs.statSync(machine.at('launcher.sock')).mode & 0o777).toBe(0o600);
  });

  it('leaves no zombie', async () => {
    const { pid, spec } = await machine.start();
    machine.kill(spec.cgroupDir);
    await until('it is reaped', () => !fs.existsSync(`/proc/${pid}`));
  });

  it('does not quit while an init lives', async () => {
    await machine.start();
    expect(await machine.launcher.quit()).toBe(false);
    await machine.start();
  });

  it('drops a connection that sends nonsense, and serves the next', async () => {
    const bad = [
      Buffer.from([255, 255, 255, 255]),
      Buffer.from([3, 0, 0, 0, 97, 98, 99]),
      Buffer.from([0, 0, 0, 0]),
      encodeFrame(['nonsense']),
      encodeFrame(['start', 'x']),
      encodeFrame(startWords(-1, machine.spec())),
    ];
    for (const bytes of bad) {
      const socket = connect(machine.at('launcher.sock'));
      socket.on('error', () => undefined);
      socket.write(bytes);
      await new Promise((resolve) => socket.resume().once('close', resolve));
    }
    machine.launcher.close();
    machine.launcher = await machine.connect();
    await machine.start();
  });
});

describe('a daemon that comes back', () => {
  it('is told who lives and who ended meanwhile', async () => {
    const [one, two] = [await machine.start(), await machine.start()];
    machine.launcher.close();
    machine.kill(one.spec.cgroupDir);
    await until('it is reaped', () => !fs.existsSync(`/proc/${one.pid}`));
    machine.launcher = await machine.connect();
    expect(exitOf(one.pid)).toHaveLength(1);
    expect(machine.launcher.inits.get(two.spec.serial)).toEqual({ pid: two.pid, startTime: two.startTime });
  });

  it('is told again what could not be taken down, and not what was', async () => {
    machine.launcher.close();
    machine.launcher = await machine.connect({
      onExit: () => {
        throw new Error('disk full');
      },
    });
    const { pid, spec } = await machine.start();
    machine.kill(spec.cgroupDir);
    await until('it was refused', () => machine.logged.some((line) => line.startsWith('an exit was not')));
    for (let round = 0; round < 2; round++) {
      machine.launcher.close();
      machine.launcher = await machine.connect();
    }
    expect(exitOf(pid)).toHaveLength(1);
  });

  it('replaces the one before, which does not fight back', async () => {
    const before = machine.launcher;
    machine.launcher = await machine.connect();
    await until('it noticed', () => machine.logged.includes('another daemon took over the launcher'));
    await machine.start();
    before.close();
  });
});

describe('a launcher that dies', () => {
  it('is replaced; its inits live on', async () => {
    const { pid, spec } = await machine.start();
    const before = machine.launcherPid;
    signal(pinned(before), 'SIGKILL');
    await until('the loss was told', () => machine.lost === 1);
    await machine.start();
    expect(machine.launcherPid).not.toBe(before);
    expect(fs.existsSync(`/proc/${pid}`)).toBe(true);
    expect(machine.launcher.inits.has(spec.serial)).toBe(false);
  });
});
