import { mkdirSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { discovering, making, numberOf, shown, unshared, vanished } from '../support/found.ts';
import { cgroup2MountPoint, eventually, isAlive } from '../support/mounted.ts';

it('has the entries of a declared container: .init, .ns, .procs, .stat', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--uts', '--pid', '--fork'], 'hostname found; exec sleep 1000');
  const at = await shown(tree, maker.pid);
  expect(await tree.ok(`readlink ${at}/.init`)).toBe(`/proc/${maker.pid}`);
  expect(await tree.ok(`nsenter --uts=${at}/.ns/uts hostname`)).toBe('found');
  expect(await tree.ok(`nsenter --pid=${at}/.ns/pid sh -c 'echo $$'`)).not.toBe('');
  expect((await tree.ok(`cat ${at}/.procs`)).split('\n')).toContain(String(maker.pid));
  const keys = (await tree.ok(`cut -d ' ' -f 1 ${at}/.stat`)).split('\n');
  expect(keys).toEqual(expect.arrayContaining(['cpu.usage_usec', 'memory.current', 'pids.current']));
  expect(await tree.ok(`grep ^pids ${at}/.stat`)).toBe('pids.current 2');
});

it('sends a signal to every process, and ends when it is told to stop', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--mount'], 'sleep 1001 & exec sleep 1000');
  const at = await shown(tree, maker.pid);
  const number = await numberOf(tree, at);
  await tree.ok(`echo TERM > ${at}/.signal`);
  await eventually(() => !isAlive(maker.pid), 'it got the signal');
  await vanished(tree, number);
  await using other = await unshared(['--mount']);
  const next = await shown(tree, other.pid);
  const nextNumber = await numberOf(tree, next);
  await tree.ok(`echo stopped > ${next}/.state`);
  expect(isAlive(other.pid)).toBe(false);
  await vanished(tree, nextNumber);
});

it('refuses to freeze what shares its cgroup with others, and says why', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--mount']);
  const at = await shown(tree, maker.pid);
  expect((await tree.sh(`echo frozen > ${at}/.state`)).status).not.toBe(0);
  expect(await tree.ok(`cat ${at}/.error ${at}/.state`)).toMatch(/^EBUSY: Cannot freeze .* share .*\nrunning$/);
});

it('refuses to freeze what shares any cgroup, which then goes on with all who are in it', async () => {
  await using tree = await discovering();
  const directory = path.join(cgroup2MountPoint(), `nsdir-test-shared-${process.pid}`);
  mkdirSync(directory);
  try {
    const join = `echo $$ > ${directory}/cgroup.procs; exec sleep 1000`;
    await using maker = await unshared(['--mount'], join);
    await using _other = await making('sh', '-c', `echo $$; ${join}`);
    const at = await shown(tree, maker.pid);
    expect((await tree.sh(`echo frozen > ${at}/.state`)).status).not.toBe(0);
    expect(await tree.ok(`cat ${at}/.error; grep frozen ${directory}/cgroup.events`)).toMatch(
      new RegExp(`^EBUSY: Cannot freeze .*share their cgroup \\(${directory}\\).*\nfrozen 0$`),
    );
  } finally {
    rmdirSync(directory);
  }
});

it('freezes by the cgroup where it has one of its own, and thaws', async () => {
  await using tree = await discovering();
  const directory = path.join(cgroup2MountPoint(), `nsdir-test-own-${process.pid}`);
  mkdirSync(directory);
  try {
    await using maker = await unshared(['--mount'], `echo $$ > ${directory}/cgroup.procs; exec sleep 1000`);
    const at = await shown(tree, maker.pid);
    expect(await tree.ok(`readlink ${at}/.cgroup`)).toBe(directory);
    await tree.ok(`echo frozen > ${at}/.state`);
    expect(await tree.ok(`cat ${at}/.state; grep frozen ${directory}/cgroup.events`)).toBe('frozen\nfrozen 1');
    await tree.ok(`echo running > ${at}/.state`);
    expect(await tree.ok(`cat ${at}/.state; grep frozen ${directory}/cgroup.events`)).toBe('running\nfrozen 0');
    await tree.ok(`rm -rf ${at}`);
    expect(isAlive(maker.pid)).toBe(false);
  } finally {
    rmdirSync(directory);
  }
});
