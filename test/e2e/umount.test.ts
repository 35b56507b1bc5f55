import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cgroupsOf, initOf } from '../support/containers.ts';
import { instanceFor } from '../../src/instance.ts';
import { eventually, mounted, NSDIR, type Mounted } from '../support/mounted.ts';
import { emptyDirectory, nsdir, nsdirAfter } from '../support/nsdir.ts';
import { lives, pinned, signal } from '../support/pinned.ts';

let tree: Mounted;
beforeEach(async () => {
  tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
});
afterEach(() => tree[Symbol.asyncDispose]());

const isMounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${tree.dir} `);

test.each([
  ['cwd', 'cd web && exec sleep 60', /cwd is \S+\/web$/m],
  ['an open file', 'exec 5< web/.events && cd / && exec sleep 60', /fd\/5 is \S+\/web\/\.events$/m],
])('a tree in use is left alone, and who uses it is named: %s', async (_what, script, how) => {
  const user = tree.background('sh', '-c', script);
  await eventually(() => readFileSync(`/proc/${user.pid ?? 0}/comm`, 'utf8') === 'sleep\n', 'it sleeps');
  const { status, stdout, stderr } = await tree.nsdir('umount', tree.dir);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain(`${tree.dir} is busy:\n`);
  expect(stderr).toMatch(new RegExp(`^ +${user.pid ?? 0} sleep: `, 'm'));
  expect(stderr).toMatch(how);
  expect(stderr).toContain(`nsdir umount --lazy ${tree.dir}`);
  expect(await tree.ok('cat web/.state')).toBe('running');
  user.kill('SIGKILL');
  await once(user, 'exit');
  expect((await tree.nsdir('umount', tree.dir)).status).toBe(0);
  expect(isMounted()).toBe(false);
  await tree.nsdir('mount', tree.dir);
});

test('--lazy takes a tree in use away; who holds it gets errors, containers live on', async () => {
  const init = pinned(await initOf(tree, 'web'));
  const daemon = tree.daemon();
  const user = tree.sh('cd web; echo in; while cat .state; do sleep 0.05; done >/dev/null 2>&1; echo out');
  expect((await tree.nsdir('umount', '--lazy', tree.dir)).status).toBe(0);
  expect(isMounted()).toBe(false);
  expect((await user).stdout).toBe('in\nout');
  expect([lives(daemon), lives(init)]).toEqual([false, true]);
  await tree.nsdir('mount', tree.dir);
  expect(await initOf(tree, 'web')).toBe(init.pid);
});

test('--kill removes every container and all that was kept', async () => {
  await tree.ok('mkdir -p plain/inner; echo running > plain/inner/.state');
  const init = pinned(await initOf(tree, 'web'));
  expect(cgroupsOf(tree).length).toBeGreaterThan(0);
  const { status, stdout } = await tree.nsdir('umount', '--kill', tree.dir);
  expect([status, stdout]).toEqual([0, `${tree.dir} is unmounted`]);
  const { runDir, stateDir } = tree.instance;
  expect([isMounted(), lives(init), existsSync(tree.cgroup()), existsSync(runDir), existsSync(stateDir)]).toEqual(
    Array(5).fill(false),
  );
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
  expect(await tree.ok('ls')).toBe('');
});

test('nothing mounted is all right and says so', async () => {
  using place = emptyDirectory();
  const { status, stdout } = await nsdir(['umount', place.dir]);
  expect([status, stdout]).toEqual([0, `nothing is mounted at ${place.dir}`]);
});

test('another file system is not taken away', async () => {
  using place = emptyDirectory();
  const outcome = await nsdirAfter(`mount -t tmpfs mine ${place.dir}`, 'umount', '--lazy', place.dir);
  expect([outcome.status, outcome.stderr]).toEqual([
    1,
    expect.stringContaining(`${place.dir} is no mount of nsdir but tmpfs of mine`),
  ]);
});

test('a daemon that stands still is ended all the same', async () => {
  const daemon = tree.daemon();
  signal(daemon, 'SIGSTOP');
  expect((await tree.nsdir('umount', tree.dir)).status).toBe(0);
  expect([isMounted(), lives(daemon)]).toEqual([false, false]);
  await tree.nsdir('mount', tree.dir);
  expect(await tree.ok('cat web/.state')).toBe('running');
});

test('a refused umount leaves no lock behind that was not there before', async () => {
  using place = emptyDirectory();
  const { runDir } = instanceFor(place.dir);
  await nsdirAfter(`mount -t tmpfs mine ${place.dir}`, 'umount', place.dir);
  expect(existsSync(`${runDir}.lock`)).toBe(false);
});

test('--kill where nothing is mounted and nothing was kept is all right', async () => {
  using place = emptyDirectory();
  const { status, stdout } = await nsdir(['umount', '--kill', place.dir]);
  expect([status, stdout]).toEqual([0, `nothing is mounted at ${place.dir}`]);
});

test('who types it in the tree is in nobody’s way by that', async () => {
  const { stdout } = await execa(process.execPath, [NSDIR, 'umount', tree.dir], { cwd: `${tree.dir}/web` });
  expect(stdout).toContain(`${tree.dir} is unmounted`);
  await tree.nsdir('mount', tree.dir);
});
