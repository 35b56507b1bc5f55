import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { cgroupsOf, initOf, processesOf } from '../support/containers.ts';
import { mounted, type Mounted } from '../support/mounted.ts';
import { lives, pinned } from '../support/pinned.ts';

let one: Mounted;
let other: Mounted;
beforeAll(async () => {
  [one, other] = await Promise.all([mounted(), mounted()]);
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

test('two daemons beside one another: neither shows, kills, nor loses what is the other one’s', async () => {
  await one.ok('mkdir web only; echo running > web/.state');
  await other.ok('mkdir web; echo running > web/.state');
  const [mine, theirs] = [pinned(await initOf(one, 'web')), pinned(await initOf(other, 'web'))];
  expect(mine.pid).not.toBe(theirs.pid);
  expect([await one.ok('ls'), await other.ok('ls')]).toEqual(['only\nweb', 'web']);
  expect([processesOf(one), processesOf(other)]).toEqual([[mine.pid], [theirs.pid]]);

  await one.ok('echo frozen > web/.state');
  expect(await other.ok('cat web/.state; cut -f 2,3 .events')).toBe('running\ncreated\tweb\nstarted\tweb');
  await one.killDaemon();
  expect(await one.ok('cat web/.state')).toBe('frozen');
  await one.ok('rm -rf web only');
  expect([lives(mine), lives(theirs)]).toEqual([false, true]);
  expect([cgroupsOf(one).length, cgroupsOf(other).length]).toEqual([0, 1]);
  await consistent(other);

  const daemon = other.daemon();
  expect((await one.nsdir('umount', '--kill', one.dir)).status).toBe(0);
  expect([lives(daemon), lives(theirs), await other.ok('cat web/.state')]).toEqual([true, true, 'running']);
  expect((await one.nsdir('mount', one.dir)).status).toBe(0);
  expect(readFileSync('/proc/self/mountinfo', 'utf8').match(/ - fuse\.nsdir /g)?.length).toBeGreaterThanOrEqual(2);
});

test('a container of one tree sees its own directory there, and nothing of the other tree', async () => {
  await one.ok('mkdir box; echo running > box/.state');
  const inside = (dir: string) => one.nsdir('run', 'box', '--', 'sh', '-c', `ls -A ${dir} | head -1`);
  expect((await inside(one.dir)).stdout).not.toBe('');
  expect((await inside(other.dir)).stdout).toBe('');
});
