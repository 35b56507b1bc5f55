import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detached, nothingLeft, processesOf, scratch } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

/** Removing takes less than this, whatever runs. */
const LIMIT_MS = 5_000;

async function removed(tree: Mounted, command = 'rm -rf web'): Promise<void> {
  const begun = performance.now();
  await tree.ok(command);
  expect(performance.now() - begun).toBeLessThan(LIMIT_MS);
  expect(await tree.ok('ls')).toBe('');
  await nothingLeft(tree);
}

const bombed = (tree: Mounted, count: number) =>
  eventually(() => processesOf(tree).length > count, `${count} processes of the fork bomb run`);

it('kills a fork bomb', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', workload('fork-bomb'));
  await bombed(tree, 200);
  await removed(tree);
});

it('kills a fork bomb that has no pid namespace', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', workload('fork-bomb'), '--ns', 'mnt,uts');
  await bombed(tree, 200);
  await removed(tree);
});

it('kills nested containers, each with a fork bomb', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir web web/job web/job/task web/other');
  for (const name of ['web', 'web/job', 'web/job/task', 'web/other']) {
    await detached(tree, name, workload('fork-bomb', '5', files.at('go')));
  }
  writeFileSync(files.at('go'), '');
  await bombed(tree, 200);
  await removed(tree);
});

it('kills fork bombs while they are frozen', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir web web/job');
  for (const name of ['web', 'web/job']) await detached(tree, name, workload('fork-bomb', '6', files.at('go')));
  writeFileSync(files.at('go'), '');
  await bombed(tree, 200);
  await tree.ok('echo frozen > web/.state');
  await removed(tree);
});

it('kills what is below a frozen container, and a frozen one below a running one', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job web/job/task');
  for (const name of ['web', 'web/job', 'web/job/task']) await detached(tree, name, ['sleep', '1000']);
  await tree.ok('echo frozen > web/job/.state && rm -rf web/job/task && cat web/.state web/job/.state');
  expect(processesOf(tree)).toHaveLength(4);
  await removed(tree);
});

it('kills processes that ignore every signal they can', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', workload('deaf'));
  await bombed(tree, 3);
  await removed(tree);
});

it('kills grandchildren whose init is dead already', async () => {
  await using tree = await mounted();
  await detached(
    tree,
    'web',
    ['sh', '-c', '(setsid sleep 1000 &); (setsid sleep 1000 &); sleep 0.2'],
    '--ns',
    'mnt,uts',
  );
  await eventually(async () => (await tree.ok('cat web/.exit')) === '0', 'the init is dead');
  expect(processesOf(tree)).toHaveLength(2);
  await removed(tree);
});

it('kills a fork bomb whose init is dead already', async () => {
  using files = scratch();
  await using tree = await mounted();
  const [shell = '', option = '', text = '', ...words] = workload('fork-bomb', '7', files.at('go'));
  await detached(tree, 'web', [shell, option, `(\n${text}\n) &\nsleep 0.5`, ...words], '--ns', 'uts');
  await eventually(async () => (await tree.ok('cat web/.exit')) === '0', 'the init is dead');
  // Its dead wait for the machine's own init, each with its pid: it does not go off before somebody is there to end it.
  writeFileSync(files.at('go'), '');
  await bombed(tree, 100);
  await removed(tree);
});

it('kills processes that are inside operations on this very mount', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job');
  await detached(tree, 'web', workload('churn', tree.dir));
  await detached(tree, 'web/job', workload('churn', tree.dir));
  await eventually(async () => (await tree.ok('ls web')).includes('churn'), 'they are at it');
  const begun = performance.now();
  // A name that goes and comes again between rm's stat and its unlink makes rm fail, as on any file system.
  await tree.ok('for try in 1 2 3 4 5; do rm -rf web 2>/dev/null; [ -e web ] || exit 0; done; exit 1');
  expect(performance.now() - begun).toBeLessThan(LIMIT_MS);
  await nothingLeft(tree);
  expect(await tree.ok('mkdir web && ls')).toBe('web');
});

it('kills with "stopped" too, and keeps the containers', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir web web/job web/never');
  // With a pid namespace the kernel would kill the job too.
  await detached(tree, 'web', workload('fork-bomb', '7', files.at('go')), '--ns', 'mnt,uts');
  await detached(tree, 'web/job', workload('deaf'));
  writeFileSync(files.at('go'), '');
  await bombed(tree, 200);
  const begun = performance.now();
  await tree.ok('echo stopped > web/.state');
  expect(performance.now() - begun).toBeLessThan(LIMIT_MS);
  await nothingLeft(tree);
  expect(await tree.ok('cat web/.state web/job/.state web/.exit web/job/.exit; ls web; ls -A web/never')).toBe(
    'stopped\nstopped\n137\n137\njob\nnever',
  );
  await removed(tree);
});

it('kills a stopped container’s children that still run', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo "running mnt,uts" > web/.state');
  await detached(tree, 'web/job', ['sleep', '1000']);
  // All that it had ends, by its cgroup: what is in it lives on.
  await tree.ok('echo 1 > web/.cgroup/own/cgroup.kill');
  await eventually(async () => (await tree.ok('cat web/.state')) === 'stopped', 'it has stopped');
  expect(await tree.ok('cat web/job/.state')).toBe('running');
  await removed(tree);
});

it('kills with rmdir once the entries were unlinked, and with find -delete and Python’s rmtree', async () => {
  await using tree = await mounted();
  for (const command of [
    'rm web/.[a-z]* 2>/dev/null; rm -f web/.ns/*; rmdir web/.ns; rm -f web/.[a-z]*; rmdir web',
    'find web -delete',
    'python3 -c "import shutil; shutil.rmtree(\'web\')"',
    'busybox rm -rf web',
  ]) {
    await detached(tree, 'web', ['sleep', '1000']);
    await removed(tree, command);
  }
});

it('does not kill with a bare rmdir: the container lists entries', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sleep', '1000']);
  const { status, stderr } = await tree.sh('rmdir web');
  expect({ status, stderr }).toEqual({ status: 1, stderr: "rmdir: failed to remove 'web': Directory not empty" });
  expect(processesOf(tree)).toHaveLength(2);
});
