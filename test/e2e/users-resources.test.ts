import { execa } from 'execa';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { mounted, type Mounted } from '../support/mounted.ts';
import { usersOf, type TreeUser, type TreeUsers } from '../support/tree-users.ts';

let tree: Mounted;
let made: TreeUsers;
let alice: TreeUser;
beforeAll(async () => {
  tree = await mounted();
  made = await usersOf(tree, 1, { commands: true });
  [alice] = made.users as [TreeUser];
  await tree.ok('chmod 1777 .');
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  await made[Symbol.asyncDispose]();
});

const SHOWN = ['NOFILE', 'CORE', 'MEMLOCK', 'NICE', 'RTPRIO'];
const show = `prlimit --raw --noheadings -o RESOURCE,SOFT,HARD ${SHOWN.map((name) => `--${name.toLowerCase()}`).join(' ')}`;

/** Sets limits of the launcher, as those of who mounted. */
async function mountedWith(...limits: string[]): Promise<void> {
  const pid = readFileSync(runFiles(tree.instance).launcherPid, 'utf8').trim();
  await execa('prlimit', ['--pid', pid, ...limits]);
}

it('gives a user’s container limits of its own, not those of who mounted', async () => {
  await mountedWith('--nofile=2048:600000', '--core=unlimited', '--memlock=unlimited', '--nice=40', '--rtprio=99');
  expect((await alice.ok(`nsdir run wide -- ${show}`)).split('\n').sort()).toEqual([
    'CORE 0 unlimited',
    'MEMLOCK 8388608 8388608',
    'NICE 0 0',
    'NOFILE 1024 524288',
    'RTPRIO 0 0',
  ]);
  await mountedWith('--nofile=1000:1000', '--core=0', '--memlock=65536');
  expect((await alice.ok(`nsdir run narrow -- ${show}`)).split('\n').sort()).toEqual([
    'CORE 0 0',
    'MEMLOCK 65536 65536',
    'NICE 0 0',
    'NOFILE 1000 1000',
    'RTPRIO 0 0',
  ]);
  await alice.ok('rm -rf wide narrow');
});

it('starts a container in one of a user’s that has the machine’s cgroup namespace', async () => {
  await alice.ok(`mkdir -p out/in; echo 'running mnt,pid' > out/.state; echo 'running pid' > out/in/.state`);
  expect(await tree.ok('for c in out out/in; do readlink /proc/$(basename $(readlink $c/.init))/ns/cgroup; done')).toBe(
    await tree.ok('readlink /proc/self/ns/cgroup; readlink /proc/self/ns/cgroup'),
  );
  await alice.ok('rm -rf out');
});
