import { afterAll, beforeAll, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { OK, runMany, struck } from '../support/daemon-deaths.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

test.each([1, 3, 6])(
  'a daemon killed %i ms after a stop began: all are dead, and it can be started again',
  async (ms) => {
    await runMany(tree, 'web');
    expect(await struck(tree, 'echo stopped > web/.state', ms)).toEqual(OK);
    expect(await tree.ok('cat web/.state')).toBe('stopped');
    await consistent(tree);
    await tree.ok('echo running > web/.state');
    await consistent(tree);
    await tree.ok('rm -rf web');
  },
);
