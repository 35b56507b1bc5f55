import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { consistent } from '../support/consistency.ts';
import { cgroupsOf, detached, initOf, inside, nothingLeft, scratch } from '../support/containers.ts';
import { killLauncher, serving } from '../support/daemon-deaths.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { lives, pinned, pinnedIn, signal } from '../support/pinned.ts';
import { workload } from '../support/workload.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterEach(async () => {
  await tree.ok('rm -rf web next');
  await nothingLeft(tree);
});
afterAll(() => tree[Symbol.asyncDispose]());

test('the launcher is killed: containers run on, and take commands', async () => {
  using files = scratch();
  await detached(tree, 'web', workload('counter', files.at('count')));
  const init = await initOf(tree, 'web');
  killLauncher(tree);
  const count = Number(files.read('count'));
  await eventually(() => Number(files.read('count')) > count, 'it counts on');
  expect(await tree.ok('cat web/.state')).toBe('running');
  expect(await initOf(tree, 'web')).toBe(init);
  expect(await inside(tree, 'web', 'exit 3')).toMatchObject({ status: 3 });
  await consistent(tree);
  // It writes where the test's files are.
  await tree.ok('rm -rf web');
});

test('the launcher is killed: new containers start, under another one', async () => {
  await tree.ok('mkdir web; echo running > web/.state');
  killLauncher(tree);
  await tree.ok('mkdir next; echo running > next/.state');
  expect(await inside(tree, 'next', 'exit 4')).toMatchObject({ status: 4 });
  await tree.ok('mkdir web/inner; echo running > web/inner/.state');
  await consistent(tree);
});

test.each(['the daemon lives on', 'the daemon dies too'])(
  'a container whose launcher was killed is seen ending; %s',
  async (what) => {
    await tree.ok('mkdir web; echo running > web/.state');
    const init = pinned(await initOf(tree, 'web'));
    killLauncher(tree);
    if (what === 'the daemon dies too') await tree.killDaemon();
    await serving(tree);
    signal(init, 'SIGKILL');
    await eventually(async () => (await tree.ok('cat web/.state')) === 'stopped', 'it has stopped');
    expect((await tree.sh('test -e web/.init')).status).toBe(1);
    await consistent(tree);
    await tree.ok('echo running > web/.state');
    await consistent(tree);
  },
);

test('the launcher is killed while a container starts: that fails or is done, nothing in between', async () => {
  for (const round of [1, 2, 3, 1, 2, 3]) {
    await tree.ok('mkdir web');
    const starting = tree.sh('echo running > web/.state');
    if (round > 1) await new Promise((resolve) => setTimeout(resolve, round * 4));
    killLauncher(tree);
    const { status } = await starting;
    expect(await tree.ok('cat web/.state 2>/dev/null || echo declared')).toBe(status === 0 ? 'running' : 'declared');
    await consistent(tree);
    await tree.ok('rm -rf web');
    const { launcherPid } = runFiles(tree.instance);
    await eventually(() => lives(pinnedIn(launcherPid)), 'another launcher runs');
  }
});

test('a start that the launcher was asked for when it was killed fails, and leaves nothing', async () => {
  await tree.ok('mkdir web');
  const launcher = pinnedIn(runFiles(tree.instance).launcherPid);
  signal(launcher, 'SIGSTOP');
  const starting = tree.sh('echo running > web/.state');
  await eventually(() => cgroupsOf(tree).length > 0, 'its cgroup is made');
  signal(launcher, 'SIGKILL');
  expect((await starting).status).toBe(1);
  expect(await tree.ok('ls -A web')).toBe('.error');
  expect(cgroupsOf(tree)).toEqual([]);
  await consistent(tree);
});

test('rm -rf removes what has no launcher any more', async () => {
  await tree.ok('mkdir -p web/inner; echo running > web/.state; echo running > web/inner/.state');
  killLauncher(tree);
  await tree.ok('rm -rf web');
  expect(await tree.ok('ls')).toBe('');
  await nothingLeft(tree);
});
