import { afterAll, beforeAll, expect, test } from 'vitest';
import { clients, killDaemons, serving } from '../support/daemon-deaths.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted('--no-resend');
});
afterAll(() => tree[Symbol.asyncDispose]());

const KILLS = 12;
const WITHIN_MS = 1_200;
const SECONDS = 20;

test(`on a kernel that sends nothing again, ${KILLS} daemons are killed: nobody hangs, the worst is an EINTR`, async () => {
  await tree.ok('mkdir web; echo running > web/.state');
  const kills = killDaemons(tree, KILLS, WITHIN_MS);
  const [seen] = await Promise.all([clients(tree, SECONDS, 'make_and_remove', 'look', 'rename'), kills]);
  await serving(tree);
  // A request that was read when the daemon died, and not yet written down: nothing of it was done.
  expect(seen.errors.filter(([, , errno]) => errno !== 'EINTR')).toEqual([]);
  expect(seen.errors.length).toBeLessThan(KILLS);
  expect(Object.values(seen.done).every((rounds) => rounds > 10)).toBe(true);
}, 90_000);
