import { afterAll, beforeAll, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { OK, runMany, struck } from '../support/daemon-deaths.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

test.each([0, 1, 2, 4])('a daemon killed %i ms after a freeze, and after a thaw, began: both are done', async (ms) => {
  await runMany(tree, 'cold');
  expect(await struck(tree, 'echo frozen > cold/.state', ms)).toEqual(OK);
  expect(await tree.ok('cat cold/.state')).toBe('frozen');
  await consistent(tree);
  expect(await struck(tree, 'echo running > cold/.state', ms)).toEqual(OK);
  expect(await tree.ok('cat cold/.state')).toBe('running');
  await consistent(tree);
  await tree.ok('rm -rf cold');
});
