import { expect, it } from 'vitest';
import { detached, inside, nothingLeft, okInside, processesOf } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

it('makes, starts and runs; the container stops with the command, and .exit keeps its status', async () => {
  await using tree = await mounted();
  expect(await inside(tree, 'web', 'exit 7')).toMatchObject({ status: 7 });
  await eventually(async () => (await tree.ok('cat web/.state')) === 'stopped', 'the container stopped');
  expect(await tree.ok('cat web/.exit')).toBe('7');
  await nothingLeft(tree);
});

it('runs a command in a running container, which goes on', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sleep', '1000']);
  expect(await okInside(tree, 'web', 'hostname; set -- /proc/[0-9]*; echo $#')).toBe('web\n3');
  expect(await tree.ok('cat web/.state && wc -l < web/.procs')).toBe('running\n2');
});

it('ends every other command with the main one', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sh', '-c', 'sleep 3; exit 4']);
  const other = await inside(tree, 'web', 'sleep 1000');
  expect(other.status).toBe(128 + 9);
  await eventually(async () => (await tree.ok('cat web/.exit')) === '4', 'its status is that of the main command');
  await nothingLeft(tree);
});

it('ends with the main command also what that left behind', async () => {
  await using tree = await mounted();
  const script = '(setsid sleep 1000 &); (sh -c "sleep 1000 & :" &); sleep 0.2';
  expect(await inside(tree, 'web', script)).toMatchObject({ status: 0 });
  await nothingLeft(tree);
  expect(await tree.ok('cat web/.state')).toBe('stopped');
});

it('runs on behind its init where that has no pid namespace and left processes, and stops with the last of them', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sh', '-c', '(setsid sleep 3 &); sleep 0.2; exit 6'], '--ns', 'mnt,uts');
  await eventually(async () => (await tree.ok('cat web/.exit')) === '6', 'its init has ended');
  expect(await tree.ok('cat web/.state && wc -l < web/.procs && ls -A web')).toMatch(/^running\n1\n(?![^]*\.init)/);
  await eventually(async () => (await tree.ok('cat web/.state')) === 'stopped', 'the last one has ended');
  expect(await tree.ok('cat web/.exit')).toBe('6');
  await nothingLeft(tree);
});

it('takes in the orphans of a running container, and reaps them', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  await okInside(tree, 'web', 'for i in 1 2 3 4 5; do (sleep 0.1 &); done');
  await detached(tree, 'web', workload('orphans'));
  await eventually(() => processesOf(tree).length === 6, 'init, the command and four orphans are left');
  expect(await okInside(tree, 'web', 'grep -c "^PPid:[[:space:]]1$" /proc/[0-9]*/status | grep -c ":1$"')).toBe('4');
});

it('removes the container with --rm, whatever still runs in it', async () => {
  await using tree = await mounted();
  const script = '(setsid sleep 1000 &); sleep 0.2; exit 5';
  expect(await tree.nsdir('run', '--rm', 'web', '--', 'sh', '-c', script)).toMatchObject({ status: 5, stderr: '' });
  expect(await tree.ok('ls')).toBe('');
  await nothingLeft(tree);
});

it('starts again what has stopped, with a new .exit in the end', async () => {
  await using tree = await mounted();
  await inside(tree, 'web', 'exit 1');
  await eventually(async () => (await tree.ok('cat web/.exit')) === '1', 'it ended');
  expect(await okInside(tree, 'web', `cat ${tree.dir}/.exit 2>/dev/null || echo none`)).toBe('none');
  await eventually(async () => (await tree.ok('cat web/.exit')) === '0', 'it ended again');
});

it('can run in a container within a container, from outside and from inside', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state');
  expect(await okInside(tree, 'web/job', 'hostname')).toBe('job');
  expect(await tree.ok('cat web/.state')).toBe('running');
});
