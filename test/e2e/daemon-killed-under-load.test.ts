import { afterAll, beforeAll, expect, test } from 'vitest';
import { cgroupsOf, detached, initOf, processesOf, scratch } from '../support/containers.ts';
import { clients, killDaemons, serving } from '../support/daemon-deaths.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

const KILLS = 32;
/** A daemon is up within some 300 ms; so about a third are killed while they start. */
const WITHIN_MS = 900;
const SECONDS = 45;

test(`${KILLS} daemons are killed under load: no client notices, nothing is done twice, containers live on`, async () => {
  using files = scratch();
  await detached(tree, 'web', workload('counter', files.at('count')));
  await eventually(() => Number(files.read('count')) > 0, 'it counts');
  const init = await initOf(tree, 'web');
  const kills = killDaemons(tree, KILLS, WITHIN_MS);
  const names = ['make_and_remove', 'look', 'rename', 'start_and_remove', 'freeze_and_thaw', 'move'];
  const [seen] = await Promise.all([clients(tree, SECONDS, ...names), kills]);
  await serving(tree);

  expect(seen.errors).toEqual([]);
  expect(Object.values(seen.done).every((rounds) => rounds > 10)).toBe(true);
  expect(new Set(seen.made).size).toBe(seen.made.length);

  const events = (await tree.ok('cat .events')).split('\n').map((line) => line.split('\t'));
  const happened = (event: string) => events.filter((columns) => columns[1] === event).map((columns) => columns[2]);
  expect(happened('created').sort()).toEqual(['web', ...seen.made].sort());
  const homes = names.map((name) => `of-${name}`);
  expect(happened('removed').sort()).toEqual(
    seen.made
      .filter((path) => !homes.includes(path))
      .map((path) => path.replace(/\/from$/, '/to/moved'))
      .sort(),
  );

  expect(await initOf(tree, 'web')).toBe(init);
  const count = Number(files.read('count'));
  await eventually(() => Number(files.read('count')) > count, 'it goes on counting');
  await tree.ok('rm -rf web of-*');
  await eventually(() => processesOf(tree).length === 0 && cgroupsOf(tree).length === 0, 'nothing is left');
}, 180_000);
