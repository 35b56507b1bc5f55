import { afterAll, beforeAll, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { processesOf } from '../support/containers.ts';
import { OK, runMany, struck } from '../support/daemon-deaths.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

test.each([1, 3, 5, 8, 12])(
  'a daemon killed %i ms after a running container was moved: it is there, and runs on',
  async (ms) => {
    await tree.ok('mkdir from to');
    await runMany(tree, 'from');
    await tree.ok('mkdir from/inner; echo running > from/inner/.state; echo frozen > from/inner/.state');
    const processes = processesOf(tree);
    expect(await struck(tree, 'mv from to/moved', ms)).toEqual(OK);
    expect(await tree.ok('ls; cat to/moved/.state to/moved/inner/.state')).toBe('to\nrunning\nfrozen');
    await consistent(tree);
    expect(processesOf(tree)).toEqual(processes);
    await tree.ok('rm -rf to');
  },
);
