import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { detached, nothingLeft, processesOf, scratch } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

/** Long enough for a counter that runs to have moved. */
const LOOK_MS = 200;

it('stops every process where it is, and lets it go on from there', async () => {
  using files = scratch();
  await using tree = await mounted();
  await detached(tree, 'web', workload('counter', files.at('count')));
  const count = () => Number(files.read('count'));
  await eventually(() => count() > 5, 'it counts');
  await tree.ok('echo frozen > web/.state');
  const frozenAt = files.read('count');
  await sleep(LOOK_MS);
  expect(files.read('count')).toBe(frozenAt);
  expect(await tree.ok('cat web/.state && grep frozen web/.cgroup/cgroup.events')).toBe('frozen\nfrozen 1');
  await tree.ok('echo running > web/.state && cat web/.state');
  await eventually(() => count() > Number(frozenAt) + 5, 'it counts on');
});

it('holds what is nested: its .state says frozen too', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state');
  await detached(tree, 'web/job', workload('counter', files.at('count')));
  await eventually(() => Number(files.read('count')) > 5, 'it counts');
  await tree.ok('echo frozen > web/.state');
  const frozenAt = files.read('count');
  expect(await tree.ok('cat web/job/.state')).toBe('frozen');
  await sleep(LOOK_MS);
  expect(files.read('count')).toBe(frozenAt);
  await tree.ok('echo running > web/.state');
  expect(await tree.ok('cat web/.state web/job/.state')).toBe('running\nrunning');
  await eventually(() => Number(files.read('count')) > Number(frozenAt), 'it counts on');
});

it('refuses to thaw the inner while the outer is frozen, with the reason', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  await tree.ok('echo frozen > web/.state');
  expect(await tree.sh('echo running > web/job/.state')).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/job/.error')).toBe(
    'EBUSY: Cannot thaw "web/job": "web" is frozen; write running to its .state',
  );
  expect(await tree.ok('cat web/job/.state')).toBe('frozen');
});

it('keeps the inner frozen that was frozen by itself when the outer thaws', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  await tree.ok('echo frozen > web/job/.state && echo frozen > web/.state && echo running > web/.state');
  expect(await tree.ok('cat web/.state web/job/.state')).toBe('running\nfrozen');
  expect(await tree.ok('grep -h frozen web/.cgroup/cgroup.events web/job/.cgroup/cgroup.events')).toBe(
    'frozen 0\nfrozen 1',
  );
  await tree.ok('echo running > web/job/.state');
  expect(await tree.ok('cat web/job/.state')).toBe('running');
});

it('refuses to start what is below a frozen one, and leaves nothing of it', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo frozen > web/.state');
  expect(await tree.sh('echo running > web/job/.state')).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/job/.error')).toMatch(/^EBUSY: .*"web" is frozen; write running to its \.state first$/);
  expect(await tree.ok('ls -A web/job')).toBe('.error');
  expect(processesOf(tree)).toHaveLength(1);
});

it('refuses to freeze what does not run', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await tree.sh('echo frozen > web/.state')).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/.error')).toMatch(/^EBUSY: Cannot freeze "web": it is declared; start it first$/);
  expect(await tree.sh('cat web/.state')).toMatchObject({ status: 1 });
});

it('does nothing where it is so already', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  await tree.ok('echo frozen > web/.state && echo frozen > web/.state && cat web/.state');
  await tree.ok('echo running > web/.state && echo running > web/.state');
  expect(await tree.ok("cut -f 2 web/.events | tr '\\n' ' '")).toBe('created started frozen thawed ');
});

it('refuses whoever is inside to freeze himself', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  const ask = `echo frozen > ${tree.dir}/.state || cat ${tree.dir}/.error`;
  const { stdout } = await tree.nsdir('run', 'web', '--', 'sh', '-c', ask);
  expect(stdout).toMatch(/^EBUSY: .*ask from outside$/);
  expect(await tree.ok('cat web/.state')).toBe('running');
});

it('stops and removes what is frozen', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state && echo frozen > web/.state && echo stopped > web/.state');
  expect(await tree.ok('cat web/.state web/.exit')).toBe('stopped\n137');
  await tree.ok('echo running > web/.state && cat web/.state');
  await tree.ok('echo frozen > web/.state && rm -rf web');
  expect(await tree.ok('ls')).toBe('');
  await nothingLeft(tree);
});
