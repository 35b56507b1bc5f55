import { afterAll, beforeAll, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { cgroupsOf, processesOf } from '../support/containers.ts';
import { OK, struck } from '../support/daemon-deaths.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

test.each([3, 10, 25, 50])('a daemon killed %i ms after rm -rf of 50 running ones began: all are gone', async (ms) => {
  await tree.ok('mkdir all; cd all; for i in $(seq 50); do mkdir $i; echo running > $i/.state; done');
  expect(await struck(tree, 'rm -rf all', ms)).toEqual(OK);
  expect(await tree.ok('ls')).toBe('');
  await consistent(tree);
  expect(processesOf(tree)).toEqual([]);
  expect(cgroupsOf(tree)).toEqual([]);
});
