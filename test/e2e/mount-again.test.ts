import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { consistent } from '../support/consistency.ts';
import { initOf } from '../support/containers.ts';
import { eventually, isAlive, mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeEach(async () => {
  tree = await mounted();
  await tree.ok('mkdir web plain; echo running > web/.state');
});
afterEach(() => tree[Symbol.asyncDispose]());

const supervisorPid = () => Number(readFileSync(runFiles(tree.instance).supervisePid, 'utf8'));

test('mounting what is mounted says so and is all right', async () => {
  const daemon = tree.daemonPid();
  const { status, stdout } = await tree.nsdir('mount', tree.dir);
  expect([status, stdout]).toEqual([0, `${tree.dir} is mounted already (daemon ${daemon})`]);
  expect(tree.daemonPid()).toBe(daemon);
});

test('two that mount at once: one does, both are all right', async () => {
  await tree.nsdir('umount', '--lazy', tree.dir);
  const both = await Promise.all([tree.nsdir('mount', tree.dir), tree.nsdir('mount', tree.dir)]);
  expect(both.map(({ status }) => status)).toEqual([0, 0]);
  expect(both.map(({ stdout }) => stdout.replace(tree.dir, 'DIR').replace(/\d+/, 'N')).sort()).toEqual([
    'DIR is mounted already (daemon N)',
    'mounted at DIR (daemon N)',
  ]);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  expect(mounts.filter((line) => line.includes(` ${tree.dir} `))).toHaveLength(1);
  expect(await tree.ok('ls; cat web/.state')).toBe('plain\nweb\nrunning');
});

test.each(['killed', 'stopped'])(
  'the mount of a daemon that was %s is taken over, with all containers',
  async (how) => {
    const init = await initOf(tree, 'web');
    const pids = [supervisorPid(), tree.daemonPid()];
    for (const pid of pids) process.kill(pid, how === 'killed' ? 'SIGKILL' : 'SIGSTOP');
    if (how === 'killed') await eventually(() => !pids.some(isAlive), 'both are dead');
    const begun = performance.now();
    const { status, stdout } = await tree.nsdir('mount', tree.dir);
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(status).toBe(0);
    expect(stdout).toContain(`took over the stale mount at ${tree.dir}\n`);
    expect(pids.some(isAlive)).toBe(false);
    expect(pids).not.toContain(tree.daemonPid());
    expect(await tree.ok('ls; cat web/.state')).toBe('plain\nweb\nrunning');
    expect(await initOf(tree, 'web')).toBe(init);
    await consistent(tree);
  },
);

test('a client that waits for a stopped daemon is let go when its mount is taken over', async () => {
  process.kill(tree.daemonPid(), 'SIGSTOP');
  const waiting = tree.sh('cat web/.stat');
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
  expect((await waiting).status).not.toBe(0);
  expect(await tree.ok('cat web/.state')).toBe('running');
});

test('a daemon without supervisor is kept while it serves, and taken over when it is dead', async () => {
  const daemon = tree.daemonPid();
  const supervisor = supervisorPid();
  process.kill(supervisor, 'SIGKILL');
  await eventually(() => !isAlive(supervisor), 'the supervisor is dead');
  expect((await tree.nsdir('mount', tree.dir)).stdout).toContain('is mounted already');
  expect(await tree.ok('cat web/.state')).toBe('running');
  process.kill(daemon, 'SIGKILL');
  await eventually(() => !isAlive(daemon), 'it is dead');
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
  expect(await tree.ok('cat web/.state')).toBe('running');
});

test('umount and mount: containers lived on and have their names', async () => {
  const init = await initOf(tree, 'web');
  const ended = await tree.nsdir('umount', tree.dir);
  expect([ended.status, ended.stdout]).toEqual([
    0,
    `${tree.dir} is unmounted\nits containers live on; nsdir mount ${tree.dir} finds them again`,
  ]);
  expect(isAlive(init)).toBe(true);
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
  expect(await tree.ok('ls; cat web/.state')).toBe('plain\nweb\nrunning');
  expect(await initOf(tree, 'web')).toBe(init);
  await consistent(tree);
});
