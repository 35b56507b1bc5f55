import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  counting,
  eachWithTree,
  mountedWithCriu,
  nothingHeld,
  scriptAt,
  wentOn,
  type Scratch,
} from '../support/checkpoints.ts';
import { cgroupsOf, processesOf } from '../support/containers.ts';
import { eventually, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
let disk: Scratch;
eachWithTree((mount, directory) => {
  [tree, disk] = [mount, directory];
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

it('removes what one that died while it removed images had not removed yet', async () => {
  await tree.ok(`mkdir ${tree.instance.stateDir}/1.checkpoints`);
  await tree.killDaemon();
  await nothingHeld(tree);
});

it('does not take one for restored that CRIU had not finished', async () => {
  const counter = await counting(tree, 'web', disk.at('count'));
  await tree.ok(`tar cf ${disk.at('web.tar')} web`);
  // All processes are there and have their names, and criu is to let them go, when this is asked.
  const fails = scriptAt('pre-resume', `touch ${disk.at('made')}; sleep 2; kill -9 $PPID`);
  const script = `[ $1 = restore ] || exec $CRIU "$@"; ${fails}`;
  await using other = await mountedWithCriu(disk.at('criu'), script);
  const unpacking = other.sh(`tar xf ${disk.at('web.tar')}`);
  await eventually(() => existsSync(disk.at('made')), 'it is about to be restored');
  await other.killDaemon();
  expect((await unpacking).status).not.toBe(0);
  await eventually(() => processesOf(other).length === 0, 'nothing of it runs');
  expect(await other.ok('cat web/.state web/.exit 2>/dev/null || echo none')).toBe('none');
  await other.ok('rm -rf web');
  await nothingHeld(other);
  await counter.beyond(counter.last());
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
