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

const show = (pid: string) =>
  `prlimit ${pid} --raw --noheadings -o RESOURCE,SOFT,HARD --nofile --core --memlock --nice --rtprio`;

type Limits = Record<string, { readonly soft: number; readonly hard: number }>;

function parsed(shown: string): Limits {
  const number = (word = '') => (word === 'unlimited' ? Infinity : Number(word));
  const rows = shown.split('\n').map((line) => line.split(' '));
  return Object.fromEntries(
    rows.map(([name = '', soft, hard]) => [name, { soft: number(soft), hard: number(hard) }] as const),
  );
}

/** What a user's container has where the launcher may have more. */
const OF_USER: Limits = {
  NOFILE: { soft: 1024, hard: 524_288 },
  CORE: { soft: 0, hard: Infinity },
  MEMLOCK: { soft: 8 << 20, hard: 8 << 20 },
  NICE: { soft: 0, hard: 0 },
  RTPRIO: { soft: 0, hard: 0 },
};

it('gives a user’s container limits of its own, at most those of who mounted', async () => {
  const launcher = `--pid ${readFileSync(runFiles(tree.instance).launcherPid, 'utf8').trim()}`;
  const rounds = [
    ['--core=unlimited', '--nofile=2000:', '--memlock=unlimited', '--nice=40', '--rtprio=99'],
    ['--core=0', '--nofile=1000:1000', '--memlock=65536'],
  ];
  for (const limits of rounds) {
    // As if with these it had been mounted; not every root may raise them all.
    for (const limit of limits) await tree.sh(`prlimit ${launcher} ${limit}`);
    const given = parsed(await tree.ok(show(launcher)));
    const expected = Object.entries(OF_USER).map(([name, { soft, hard }]) => {
      const limit = Math.min(hard, given[name]?.hard ?? 0);
      return [name, { soft: Math.min(soft, limit), hard: limit }] as const;
    });
    expect(parsed(await alice.ok(`nsdir run c -- ${show('')}`))).toEqual(Object.fromEntries(expected));
    await alice.ok('rm -rf c');
  }
});

it('starts a container in one of a user’s that has the machine’s cgroup namespace', async () => {
  await alice.ok(`mkdir -p out/in; echo 'running mnt,pid' > out/.state; echo 'running pid' > out/in/.state`);
  expect(await tree.ok('for c in out out/in; do readlink /proc/$(basename $(readlink $c/.init))/ns/cgroup; done')).toBe(
    await tree.ok('readlink /proc/self/ns/cgroup; readlink /proc/self/ns/cgroup'),
  );
  await alice.ok('rm -rf out');
});
