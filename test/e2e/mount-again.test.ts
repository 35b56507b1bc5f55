import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { initOf } from '../support/containers.ts';
import { supervisorOf } from '../support/daemon-deaths.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { lives, pinned, signal } from '../support/pinned.ts';

let tree: Mounted;
beforeEach(async () => {
  tree = await mounted();
  await tree.ok('mkdir web plain; echo running > web/.state');
});
afterEach(() => tree[Symbol.asyncDispose]());

test('mounting what is mounted says so and is all right', async () => {
  const daemon = tree.daemonPid();
  const { status, stdout } = await tree.nsdir('mount', tree.dir);
  expect([status, stdout]).toEqual([0, `${tree.dir} is mounted already (daemon ${daemon})`]);
  expect(tree.daemonPid()).toBe(daemon);
});

test('two that mount at once: one does, both are all right', async () => {
  await tree.nsdir('umount', '--lazy', tree.dir);
  const both = await Promise.all([tree.nsdir('mount', tree.dir), tree.nsdir('mount', tree.dir)]);
  expect(both.map(({ status, stderr }) => [status, stderr])).toEqual([
    [0, ''],
    [0, ''],
  ]);
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
    const former = [supervisorOf(tree.instance), tree.daemon()];
    for (const process of former) signal(process, how === 'killed' ? 'SIGKILL' : 'SIGSTOP');
    if (how === 'killed') await eventually(() => !former.some(lives), 'both are dead');
    const begun = performance.now();
    const { status, stdout } = await tree.nsdir('mount', tree.dir);
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(status).toBe(0);
    expect(stdout).toContain(`took over the stale mount at ${tree.dir}\n`);
    expect(former.some(lives)).toBe(false);
    expect(former).not.toContainEqual(tree.daemon());
    expect(await tree.ok('ls; cat web/.state')).toBe('plain\nweb\nrunning');
    expect(await initOf(tree, 'web')).toBe(init);
    await consistent(tree);
  },
);

test('a client that waits for a stopped daemon is let go when its mount is taken over', async () => {
  signal(tree.daemon(), 'SIGSTOP');
  const waiting = tree.sh('cat web/.stat');
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
  expect((await waiting).status).not.toBe(0);
  expect(await tree.ok('cat web/.state')).toBe('running');
});

test('a daemon without supervisor is kept while it serves, and taken over when it is dead', async () => {
  const daemon = tree.daemon();
  const supervisor = supervisorOf(tree.instance);
  signal(supervisor, 'SIGKILL');
  await eventually(() => !lives(supervisor), 'the supervisor is dead');
  expect((await tree.nsdir('mount', tree.dir)).stdout).toContain('is mounted already');
  expect(await tree.ok('cat web/.state')).toBe('running');
  signal(daemon, 'SIGKILL');
  await eventually(() => !lives(daemon), 'it is dead');
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
  expect(await tree.ok('cat web/.state')).toBe('running');
});

test('umount and mount: containers lived on and have their names', async () => {
  const init = await initOf(tree, 'web');
  const process = pinned(init);
  const ended = await tree.nsdir('umount', tree.dir);
  expect([ended.status, ended.stdout]).toEqual([
    0,
    `${tree.dir} is unmounted\nits containers live on; nsdir mount ${tree.dir} finds them again`,
  ]);
  expect(lives(process)).toBe(true);
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
  expect(await tree.ok('ls; cat web/.state')).toBe('plain\nweb\nrunning');
  expect(await initOf(tree, 'web')).toBe(init);
  await consistent(tree);
});
