import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { cgroupsOf, detached, initOf, okInside, processesOf, procsOf, scratch } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';
import { lives, pinned } from '../support/pinned.ts';
import { workload } from '../support/workload.ts';

/** Swaps two names atomically: renameat2(2) with RENAME_EXCHANGE (2). */
const EXCHANGE = (one: string, other: string) => `python3 -c '
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, b"${one}", -100, b"${other}", 2): sys.exit(os.strerror(ctypes.get_errno()))'`;

it('renames a running container; nothing inside notices', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state && mkdir web/job');
  await detached(tree, 'web', ['sleep', '1000']);
  const [procs, cgroup] = [await procsOf(tree, 'web'), await tree.ok('readlink web/.cgroup')];
  await tree.ok('mv web home');
  expect(await tree.ok('ls && cat home/.state')).toBe('home\nrunning');
  expect(await procsOf(tree, 'home')).toEqual(procs);
  expect(await tree.ok('readlink home/.cgroup')).toBe(cgroup);
  expect(await okInside(tree, 'home', `hostname; ls ${tree.dir}; readlink ${tree.dir}/.self`)).toBe('web\njob\n.');
});

it('moves a running container into another one: its processes go on, its cgroup follows', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir a b && echo running > b/.state');
  await detached(tree, 'a', workload('counter', files.at('count')));
  await eventually(() => Number(files.read('count')) > 5, 'it counts');
  const procs = await procsOf(tree, 'a');
  await tree.ok('mv a b/');
  const before = Number(files.read('count'));
  expect(await tree.ok('ls . b')).toBe('.:\nb\n\nb:\na');
  const stayed = (await procsOf(tree, 'b/a')).filter((pid) => procs.includes(pid)).map(pinned);
  expect(stayed.length).toBeGreaterThanOrEqual(2);
  expect(await tree.ok('readlink b/a/.cgroup')).toMatch(new RegExp(`^${await tree.ok('readlink b/.cgroup')}/\\d+$`));
  await eventually(() => Number(files.read('count')) > before + 5, 'it counts on');
  expect(await tree.ok('cat b/a/.state')).toBe('running');
  await tree.ok('rm -rf b');
  expect(stayed.filter(lives)).toEqual([]);
});

it('moves it with what is nested in it, into one that does not run, and out again', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir a a/in b && echo running > a/.state && echo running > a/in/.state');
  const inits = [await initOf(tree, 'a'), await initOf(tree, 'a/in')];
  await tree.ok('mv a b/a');
  expect([await initOf(tree, 'b/a'), await initOf(tree, 'b/a/in')]).toEqual(inits);
  expect(cgroupsOf(tree)).toHaveLength(3);
  await tree.ok('mv b/a/in in && mv b/a .');
  expect([await initOf(tree, 'a'), await initOf(tree, 'in')]).toEqual(inits);
  expect(await tree.ok('cat a/.state in/.state && ls')).toBe('running\nrunning\na\nb\nin');
  expect(await tree.ok('readlink a/.cgroup in/.cgroup')).toMatch(
    new RegExp(`^${tree.cgroup()}/\\d+\n${tree.cgroup()}/\\d+$`),
  );
});

it('spares what was moved out when the container it came from is removed', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir a a/in && echo "running mnt,uts" > a/.state && echo running > a/in/.state');
  const init = await initOf(tree, 'a/in');
  await tree.ok('mv a/in . && rm -rf a && cat in/.state');
  expect(processesOf(tree)).toEqual([init]);
});

it('cannot spare it where its pid namespace is inside one that ends', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir a a/in && echo running > a/.state && echo running > a/in/.state');
  await tree.ok('mv a/in . && rm -rf a');
  await eventually(
    async () => (await tree.ok('cat in/.state')) === 'stopped',
    'the kernel ended it (pid_namespaces(7))',
  );
  expect(await tree.ok('cat in/.exit')).toBe('137');
});

it('keeps frozen what is moved frozen, and running what was running', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir a b');
  await detached(tree, 'a', workload('counter', files.at('count')));
  await eventually(() => Number(files.read('count')) > 5, 'it counts');
  await tree.ok('echo frozen > a/.state');
  const frozenAt = files.read('count');
  await tree.ok('mv a b/');
  await sleep(200);
  expect(files.read('count')).toBe(frozenAt);
  expect(await tree.ok('cat b/a/.state')).toBe('frozen');
  await tree.ok('echo running > b/a/.state');
  await eventually(() => Number(files.read('count')) > Number(frozenAt), 'it counts on');
});

it('freezes by its new place what is moved below a frozen one, and thaws what is moved out of it', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir a b && echo running > b/.state');
  await detached(tree, 'a', workload('counter', files.at('count')));
  await eventually(() => Number(files.read('count')) > 5, 'it counts');
  await tree.ok('echo frozen > b/.state');
  await tree.ok('mv a b/ && cat b/a/.state');
  const frozenAt = files.read('count');
  expect(await tree.ok('cat b/a/.state')).toBe('frozen');
  await sleep(200);
  expect(files.read('count')).toBe(frozenAt);
  await tree.ok('mv b/a .');
  expect(await tree.ok('cat a/.state')).toBe('running');
  await eventually(() => Number(files.read('count')) > Number(frozenAt), 'it counts on');
});

it('moves a fork bomb without losing a process of it', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir b');
  await detached(tree, 'a', workload('fork-bomb'), '--ns', 'mnt,uts');
  await eventually(() => processesOf(tree).length > 200, 'it goes off');
  await tree.ok('mv a b/');
  await tree.ok('rm -rf b/a');
  await eventually(() => processesOf(tree).length === 0, 'all are dead');
});

it('exchanges two running containers, in one directory and across two', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir a b b/c && for name in a b b/c; do echo "running mnt,uts" > $name/.state; done');
  const [a, c] = [await initOf(tree, 'a'), await initOf(tree, 'b/c')];
  await tree.ok(EXCHANGE('a', 'b/c'));
  expect([await initOf(tree, 'a'), await initOf(tree, 'b/c')]).toEqual([c, a]);
  expect(await tree.ok('cat a/.state b/.state b/c/.state')).toBe('running\nrunning\nrunning');
  expect(await tree.ok('readlink b/c/.cgroup')).toMatch(new RegExp(`^${await tree.ok('readlink b/.cgroup')}/`));
  const b = await initOf(tree, 'b');
  await tree.ok(EXCHANGE('a', 'b'));
  expect([await initOf(tree, 'a'), await initOf(tree, 'b'), await initOf(tree, 'a/c')]).toEqual([b, c, a]);
  await tree.ok('rm -rf a');
  expect(processesOf(tree)).toEqual([c]);
});

it('refuses to exchange a container with one inside it', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir a a/b && echo running > a/.state');
  expect(await tree.sh(EXCHANGE('a', 'a/b'))).toMatchObject({ status: 1, stderr: 'Invalid argument' });
});

it('lets whoever is in the container around both places move outwards', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/a web/a/in && for name in web web/a web/a/in; do echo running > $name/.state; done');
  const init = await initOf(tree, 'web/a/in');
  expect(await okInside(tree, 'web', `mv ${tree.dir}/a/in ${tree.dir}/ && ls ${tree.dir}`)).toBe('a\nin');
  expect(await initOf(tree, 'web/in')).toBe(init);
});

it('refuses with EPERM a move outwards by a process of the place it leads out of', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/in && echo running > web/.state && echo running > web/in/.state');
  // A process in web that still has the whole tree before it: entered by its cgroup only.
  const { status, stderr } = await tree.sh(
    'echo $$ > $(echo web/.cgroup/*/cgroup.procs | cut -d " " -f 1); mv web/in .',
  );
  expect(stderr).toMatch(/Operation not permitted/);
  expect(status).toBe(1);
  expect(await tree.ok('cat web/in/.error')).toMatch(
    /^EPERM: .*outwards: the caller is not in a container that holds both/,
  );
});
