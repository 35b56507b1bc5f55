import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { cgroupsOf } from '../support/containers.ts';
import { OK, serving } from '../support/daemon-deaths.ts';
import { eventually, mounted, type Mounted, type Outcome } from '../support/mounted.ts';
import { signal } from '../support/pinned.ts';
import { stuckIn } from '../support/stuck.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

/** Runs what freezes a container that has a process which does not freeze; kills the daemon while it waits for that. */
async function killedWhileFreezing(name: string, script: string): Promise<Outcome> {
  await using stuck = await stuckIn(tree, name);
  const running = tree.sh(script);
  const isAskedTo = (cgroup: string) => {
    const knob = `${tree.cgroup()}/${cgroup}/cgroup.freeze`;
    return existsSync(knob) && readFileSync(knob, 'utf8') === '1\n';
  };
  await eventually(() => cgroupsOf(tree).some(isAskedTo), 'it is being frozen');
  signal(tree.daemon(), 'SIGKILL');
  await serving(tree);
  stuck.letGo();
  return await running;
}

test('the daemon dies in the middle of a freeze: the next one does it', async () => {
  expect(await killedWhileFreezing('web', 'echo frozen > web/.state')).toEqual(OK);
  expect(await tree.ok('cat web/.state')).toBe('frozen');
  await consistent(tree);
  await tree.ok('echo running > web/.state; rm -rf web');
});

test('the daemon dies in the middle of a move: it is moved, and runs on', async () => {
  await tree.ok('mkdir to');
  expect(await killedWhileFreezing('web', 'mv web to/moved')).toEqual(OK);
  expect(await tree.ok('ls; cat to/moved/.state')).toBe('to\nrunning');
  await consistent(tree);
  await tree.ok('rm -rf to');
});

test('the daemon dies in the middle of a move that nobody waits for any more: it runs on, wherever it is', async () => {
  await tree.ok('mkdir to');
  await killedWhileFreezing('web', 'timeout -s KILL 0.2 mv web to/moved');
  expect(await tree.ok('cat web/.state to/moved/.state 2>/dev/null || :')).toBe('running');
  await consistent(tree);
  await tree.ok('rm -rf to web');
});
