import { afterAll, beforeAll, expect, test } from 'vitest';
import { cgroupsOf, detached, processesOf } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

/** Makes containers in its own without end, some hundred a second. */
const maker = (dir: string) => ['sh', '-c', `i=0; while :; do mkdir ${dir}/made$i; i=$((i + 1)); done`];

test('rm -rf removes a container although a process in it makes others in it all the time', async () => {
  await detached(tree, 'web', maker(tree.dir));
  await eventually(async () => (await tree.ok('ls web')).includes('made9'), 'it makes some');
  await tree.ok('rm -rf web');
  expect(await tree.ok('ls')).toBe('');
  await eventually(() => processesOf(tree).length === 0 && cgroupsOf(tree).length === 0, 'nothing is left');
});

test('a bare rmdir of it is refused, and nothing dies', async () => {
  await detached(tree, 'web', maker(tree.dir));
  const { status, stderr } = await tree.sh('rmdir web');
  expect({ status, stderr }).toEqual({ status: 1, stderr: "rmdir: failed to remove 'web': Directory not empty" });
  expect(processesOf(tree).length).toBeGreaterThan(1);
  await tree.ok('rm -rf web');
});

test('what was made from outside meanwhile keeps it from being removed', async () => {
  await tree.ok('mkdir web; echo running > web/.state; mkdir web/mine');
  const { status } = await tree.sh('cd web; rm -f .[a-z]* 2>/dev/null; rmdir .ns; cd ..; rmdir web');
  expect(status).toBe(1);
  expect(await tree.ok('ls web')).toBe('mine');
  await tree.ok('rm -rf web');
});
