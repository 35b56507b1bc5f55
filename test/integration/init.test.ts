import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { cloneFlags, DEFAULT_KINDS, NAMESPACE_KINDS, type NamespaceKind } from '../../src/namespaces.ts';
import { Launched } from '../support/launched.ts';
import { pinned, signal } from '../support/pinned.ts';

let machine: Launched;
beforeAll(async () => {
  machine = await Launched.open();
});
afterAll(() => machine[Symbol.asyncDispose]());

/** Kinds of which two processes have different namespaces. */
function differing(one: number | 'self', two: number | 'self'): NamespaceKind[] {
  const link = (pid: number | 'self', name: string) => fs.readlinkSync(`/proc/${pid}/ns/${name}`);
  return NAMESPACE_KINDS.filter((row) => link(one, row.link) !== link(two, row.link)).map(({ kind }) => kind);
}

/** Mount points and types of a process, e.g. `/proc proc`. */
function mountsOf(pid: number): string[] {
  const lines = fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n');
  return lines.map((line) => `${line.split(' ')[4] ?? ''} ${line.split(' - ')[1]?.split(' ')[0] ?? ''}`);
}

function optionsOf(pid: number, point: string): string[] {
  const lines = fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
  return (
    lines
      .find((line) => line.split(' ')[4] === point)
      ?.split(' ')[5]
      ?.split(',') ?? []
  );
}

describe('namespaces', () => {
  it('are new for the kinds asked for, and no others', async () => {
    expect(differing((await machine.start()).pid, 'self')).toEqual(DEFAULT_KINDS);
    const few: NamespaceKind[] = ['uts', 'time'];
    expect(differing((await machine.start({ flags: cloneFlags(few) })).pid, 'self')).toEqual(few);
    expect(differing((await machine.start({ flags: 0 })).pid, 'self')).toEqual([]);
  });

  it('have the name as hostname, cut at 64 bytes between characters', async () => {
    const short = await machine.start({ hostname: 'web' });
    expect((await short.run(['hostname'])).stdout).toBe('web');
    const long = await machine.start({ hostname: `${'x'.repeat(63)}äöü` });
    expect((await long.run(['uname', '-n'])).stdout).toBe('x'.repeat(63));
  });

  it('of the net kind have loopback up', async () => {
    const { run } = await machine.start({ flags: cloneFlags([...DEFAULT_KINDS, 'net']) });
    const { stdout } = await run(['cat', '/proc/net/route', '/sys/class/net/lo/flags']);
    expect(Number(stdout.split('\n').at(-1)) & 1).toBe(1);
  });

  it('of the user kind map every id to itself', async () => {
    const { pid, run } = await machine.start({ flags: cloneFlags([...DEFAULT_KINDS, 'user']) });
    expect(differing(pid, 'self')).toContain('user');
    expect((await run(['stat', '-c', '%u:%g', '/etc/passwd'])).stdout).toBe('0:0');
    expect((await run(['readlink', '/proc/self'])).stdout).toMatch(/^[2-9]$/);
  });

  it('of the cgroup kind have the own cgroup as root', async () => {
    const { run } = await machine.start();
    expect((await run(['grep', '^0:', '/proc/self/cgroup'])).stdout).toBe('0::/');
    expect((await run(['cat', '/sys/fs/cgroup/cgroup.procs'])).stdout).toMatch(/^1\n/);
  });
});

describe('the mount tree', () => {
  it('has fresh file systems, and of the host nothing but disks', async () => {
    const { pid } = await machine.start();
    const mounts = mountsOf(pid);
    expect(mounts).toEqual(
      expect.arrayContaining([
        '/proc proc',
        '/sys sysfs',
        '/dev tmpfs',
        '/dev/pts devpts',
        '/dev/shm tmpfs',
        '/run tmpfs',
        '/sys/fs/cgroup cgroup2',
      ]),
    );
    expect(mounts.filter((mount) => / (fuse.*|cgroup|devtmpfs|autofs|tracefs)$/.test(mount))).toEqual([]);
    expect(optionsOf(pid, '/sys')).toContain('ro');
    expect(fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8')).not.toMatch(/ (shared|master):/);
  });

  it('has the usual devices, usable by all', async () => {
    const { run } = await machine.start();
    const script = `cd /dev && stat -c '%n %F %a' null tty shm && readlink ptmx fd stdin && head -c 2 zero | wc -c &&
      echo x > null && script -qec 'tty' null`;
    expect((await run(['sh', '-c', script])).stdout.replaceAll('\r', '').split('\n')).toEqual([
      'null character special file 666',
      'tty character special file 666',
      'shm directory 1777',
      'pts/ptmx',
      '/proc/self/fd',
      '/proc/self/fd/0',
      '2',
      '/dev/pts/0',
    ]);
  });

  it('is the host’s where the mnt kind is not asked for', async () => {
    const { pid } = await machine.start({ flags: cloneFlags(['uts']) });
    const namespaceOf = (process: number | 'self') => fs.readlinkSync(`/proc/${process}/ns/mnt`);
    expect(namespaceOf(pid)).toBe(namespaceOf('self'));
  });
});

describe('the view of the tree', () => {
  const tree = () => fs.mkdtempSync(machine.at('tree-'));

  it('is the container’s own directory, at the same place', async () => {
    const mountPoint = tree();
    fs.mkdirSync(path.join(mountPoint, 'web/job/inner'), { recursive: true });
    const inode = fs.statSync(path.join(mountPoint, 'web/job')).ino;
    const { run } = await machine.start({ mountPoint, path: 'web/job', inode });
    expect((await run(['ls', mountPoint])).stdout).toBe('inner');
  });

  it('is made where nothing is at the mount point', async () => {
    const mountPoint = fs.mkdtempSync('/run/nsdir-test-');
    try {
      fs.mkdirSync(path.join(mountPoint, 'web/inner'), { recursive: true });
      const inode = fs.statSync(path.join(mountPoint, 'web')).ino;
      const { run } = await machine.start({ mountPoint, path: 'web', inode });
      expect((await run(['ls', mountPoint])).stdout).toBe('inner');
    } finally {
      fs.rmSync(mountPoint, { recursive: true });
    }
  });

  it('is ESTALE if another directory is there by now, ENOTDIR through a symlink', async () => {
    const mountPoint = tree();
    fs.mkdirSync(path.join(mountPoint, 'web'));
    fs.symlinkSync('web', path.join(mountPoint, 'alias'));
    const inode = fs.statSync(path.join(mountPoint, 'web')).ino;
    await expect(machine.start({ mountPoint, path: 'web', inode: inode + 1 })).rejects.toMatchObject({
      errno: 'ESTALE',
    });
    await expect(machine.start({ mountPoint, path: 'alias', inode })).rejects.toMatchObject({ errno: 'ENOTDIR' });
  });

  it('is found below PATH_MAX', async () => {
    const mountPoint = tree();
    const names = Array.from({ length: 20 }, () => 'd'.repeat(250));
    const here = process.cwd();
    process.chdir(mountPoint);
    try {
      for (const name of names) {
        fs.mkdirSync(name);
        process.chdir(name);
      }
      const inode = fs.statSync('.').ino;
      fs.mkdirSync('deepest');
      process.chdir(here);
      const { run } = await machine.start({ mountPoint, path: names.join('/'), inode });
      expect((await run(['ls', mountPoint])).stdout).toBe('deepest');
    } finally {
      process.chdir(here);
      execFileSync('rm', ['-rf', mountPoint]);
    }
  });
});

describe('a container in a container', () => {
  it('has its init below the launcher, in the outer’s namespaces but for its own', async () => {
    const outer = await machine.start();
    const inner = await machine.start({ parentInit: outer.pid, parentStartTime: outer.startTime });
    expect(differing(inner.pid, outer.pid)).toEqual(DEFAULT_KINDS);
    expect(fs.readFileSync(`/proc/${inner.pid}/status`, 'utf8')).toContain(`PPid:\t${machine.launcherPid}\n`);
    expect((await outer.run(['ps', '-e', '-o', 'comm='])).stdout).toMatch(/^nsdir-init\nnsdir-init\nps$/);
    expect((await inner.run(['ps', '-e', '-o', 'comm='])).stdout).toMatch(/^nsdir-init\nps$/);
  });

  it('shares the outer’s for kinds not asked for', async () => {
    const outer = await machine.start({ flags: cloneFlags([...DEFAULT_KINDS, 'net', 'time']) });
    const inner = await machine.start({ parentInit: outer.pid, flags: cloneFlags(['uts']) });
    expect(differing(inner.pid, outer.pid)).toEqual(['uts']);
    expect((await inner.run(['hostname'])).stdout).toBe(inner.spec.hostname);
  });

  it('may be in a user namespace, and have one of its own', async () => {
    const outer = await machine.start({ flags: cloneFlags([...DEFAULT_KINDS, 'user']) });
    const inner = await machine.start({ parentInit: outer.pid, flags: cloneFlags([...DEFAULT_KINDS, 'user']) });
    expect(differing(inner.pid, outer.pid)).toEqual([...DEFAULT_KINDS.slice(0, 4), 'user', 'cgroup']);
    expect((await inner.run(['id', '-u'])).stdout).toBe('0');
  });

  it('sees the tree from where the outer sees it', async () => {
    const mountPoint = fs.mkdtempSync(machine.at('tree-'));
    fs.mkdirSync(path.join(mountPoint, 'web/job/leaf'), { recursive: true });
    const inode = (name: string) => fs.statSync(path.join(mountPoint, name)).ino;
    const outer = await machine.start({ mountPoint, path: 'web', inode: inode('web') });
    const inner = await machine.start({ mountPoint, path: 'job', inode: inode('web/job'), parentInit: outer.pid });
    expect((await inner.run(['ls', mountPoint])).stdout).toBe('leaf');
  });

  it('ends with the outer, and is told of', async () => {
    const outer = await machine.start();
    const inner = await machine.start({ parentInit: outer.pid });
    signal(outer, 'SIGKILL');
    await expect
      .poll(() => machine.exits.filter(({ pid }) => pid === inner.pid || pid === outer.pid).map(({ status }) => status))
      .toEqual([{ signal: 9 }, { signal: 9 }]);
  });
});

describe('the init', () => {
  it('has no descriptor of the host, and only its own session', async () => {
    const { pid } = await machine.start();
    const target = (fd: string) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+/, '');
    await expect
      .poll(() => fs.readdirSync(`/proc/${pid}/fd`).map(target).sort())
      .toEqual(['/dev/null', '/dev/null', '/dev/null', 'anon_inode:[signalfd]', 'socket:[]']);
    expect(fs.readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    expect(stat[3]).toBe(String(pid));
  });

  it('is named after the container', async () => {
    const { pid } = await machine.start({ hostname: 'web' });
    expect(fs.readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('nsdir-init\n');
    expect(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '')).toBe('nsdir-init web');
  });

  it('reaps orphans, with and without a pid namespace', async () => {
    for (const flags of [cloneFlags(DEFAULT_KINDS), 0]) {
      const { pid, run } = await machine.start({ flags });
      await run(['sh', '-c', '(sleep 0.2 > /dev/null 2>&1 &)']);
      const children = () => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
      expect(children()).not.toBe('');
      await expect.poll(children).toBe('');
    }
  });

  it('is not ended by signals', async () => {
    const { pid, run } = await machine.start({ flags: 0 });
    const init = pinned(pid);
    for (const which of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 32, 34, 64] as const) signal(init, which);
    expect((await run(['true'])).exitCode).toBe(0);
  });

  it('takes requests of root only', async () => {
    const { spec } = await machine.start();
    expect(fs.statSync(spec.initSocket).mode & 0o777).toBe(0o600);
  });
});
