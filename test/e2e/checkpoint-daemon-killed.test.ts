import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, it } from 'vitest';
import { counting, criuIsMissing, nothingHeld, wentOn } from '../support/checkpoints.ts';
import { cgroupsOf, processesOf, scratch } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

const missing = await criuIsMissing();
let tree: Mounted;
let disk: ReturnType<typeof scratch>;
beforeEach(async ({ skip }) => {
  skip(missing !== undefined, missing);
  disk = scratch();
  tree = await mounted();
  return async () => {
    await tree[Symbol.asyncDispose]();
    disk[Symbol.dispose]();
  };
});

/** Moments at which it is killed, from before anything is frozen until after all is over. */
const MOMENTS_MS = [20, 60, 100, 140, 180, 240];

it('lets a container go on whose checkpoint it died in, at any moment', async () => {
  const counter = await counting(tree, 'web', disk.at('count'));
  for (const moment of MOMENTS_MS) {
    const archiver = tree.sh(`tar cf ${disk.at('web.tar')} web`);
    await sleep(moment);
    await tree.killDaemon();
    const { status } = await archiver;
    expect([0, 2]).toContain(status);
    const before = counter.last();
    await counter.beyond(before + 1);
    expect(await tree.ok('cat web/.state')).toBe('running');
  }
  wentOn(counter.numbers(), 0);
  await nothingHeld(tree);
  // And it can be saved still.
  await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web && tar xf ${disk.at('web.tar')}`);
  await counter.beyond(counter.last());
});

it('leaves a container restored, or not there, if it died in the restore, and the archive as it was', async () => {
  const counter = await counting(tree, 'web', disk.at('count'));
  await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web`);
  const sum = await tree.ok(`md5sum ${disk.at('web.tar')}`);
  for (const moment of MOMENTS_MS) {
    const archiver = tree.sh(`tar xf ${disk.at('web.tar')}`);
    await sleep(moment);
    await tree.killDaemon();
    const { status } = await archiver;
    const state = await tree.ok('cat web/.state 2>/dev/null || echo none');
    expect(['running', 'none']).toContain(state);
    if (status === 0) expect(state).toBe('running');
    if (state === 'running') await counter.beyond(counter.last());
    else await eventually(() => processesOf(tree).length === 0, 'nothing of it runs');
    await tree.ok('rm -rf web');
    await eventually(() => cgroupsOf(tree).length === 0, 'no cgroup is left');
    await nothingHeld(tree);
  }
  expect(await tree.ok(`md5sum ${disk.at('web.tar')}`)).toBe(sum);
});

it('restores one inside, whose archive had arrived before it died, when the one around it has', async () => {
  const outer = await counting(tree, 'web', disk.at('outer'));
  await tree.ok('mkdir web/job');
  const inner = await counting(tree, 'web/job', disk.at('inner'));
  const saved = disk.at('saved');
  await tree.ok(`cp -a web ${saved} && rm -rf web && mkdir -p web/job`);
  await tree.ok(`cp -a ${saved}/job/.checkpoint ${saved}/job/.state web/job/`);
  await tree.killDaemon();
  await tree.ok(`cp -a ${saved}/.checkpoint ${saved}/.state web/`);
  expect(await tree.ok('cat web/.state web/job/.state')).toBe('running\nrunning');
  for (const counter of [outer, inner]) await counter.beyond(counter.last() + 1);
});
