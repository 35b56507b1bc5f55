import { afterAll, beforeAll, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { detached, initOf, scratch } from '../support/containers.ts';
import { withoutDaemon } from '../support/daemon-deaths.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { lives, pinned, signal } from '../support/pinned.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

test('exit statuses of inits that end while no daemon lives are not lost', async () => {
  using files = scratch();
  const waits = `while ! [ -e ${files.at('go')} ]; do sleep 0.02; done;`;
  await detached(tree, 'seven', ['sh', '-c', `${waits} exit 7`]);
  await detached(tree, 'signal', ['sh', '-c', `${waits} kill -TERM $$`]);
  await detached(tree, 'stays', ['sh', '-c', 'sleep 1000']);
  const inits = [await initOf(tree, 'seven'), await initOf(tree, 'signal')].map(pinned);
  await withoutDaemon(tree, async () => {
    await tree.sh(`touch ${files.at('go')}`, { cwd: '/' });
    await eventually(() => !inits.some(lives), 'both have ended');
  });
  expect(await tree.ok('cat seven/.state seven/.exit signal/.state signal/.exit stays/.state')).toBe(
    'stopped\n7\nstopped\n143\nrunning',
  );
  const events = (await tree.ok('cut -f 2- .events')).split('\n').filter((line) => line.startsWith('exited'));
  expect(events.sort()).toEqual(['exited\tseven\t7', 'exited\tsignal\t143']);
  await consistent(tree);
  await tree.ok('rm -rf seven signal stays');
});

test('a container whose processes are all killed while no daemon lives has stopped, 137', async () => {
  await tree.ok('mkdir -p web/inner; echo running > web/.state; echo running > web/inner/.state');
  const inits = [await initOf(tree, 'web'), await initOf(tree, 'web/inner')].map(pinned);
  await withoutDaemon(tree, async () => {
    for (const init of inits) signal(init, 'SIGKILL');
    await eventually(() => !inits.some(lives), 'both are dead');
  });
  expect(await tree.ok('cat web/.state web/.exit web/inner/.state web/inner/.exit')).toBe('stopped\n137\nstopped\n137');
  await consistent(tree);
  await tree.ok('rm -rf web');
});
