import { expect, it } from 'vitest';
import { discovering, numberOf, OWN_PID, shown, unshared, vanished } from '../support/found.ts';
import { eventually, isAlive } from '../support/mounted.ts';
import { pinned, signal } from '../support/pinned.ts';

/** A shell in a mount namespace, whose child makes one of its own and outlives it. */
const LEAVES_CHILD = `unshare --uts sleep 1000 & sleep 3; exit`;

it('keeps the node of a container that is gone while one in it lives, and kills that with it', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--mount'], LEAVES_CHILD);
  const outer = await shown(tree, maker.pid);
  await eventually(async () => (await tree.ok(`ls ${outer}`)) === 'unnamed1', 'the inner one is there');
  const pid = Number(await tree.ok(`cat ${outer}/unnamed1/.procs`));
  await eventually(() => !isAlive(maker.pid), 'the outer one has ended');
  await eventually(async () => (await tree.ok(`cat ${outer}/.state`)) === 'stopped', 'it has stopped');
  await tree.killDaemon();
  expect(await tree.ok(`cat ${outer}/.state ${outer}/unnamed1/.state`)).toBe('stopped\nrunning');
  await tree.ok(`rm -rf ${outer}`);
  expect(isAlive(pid)).toBe(false);
});

it('vanishes with its last child', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--mount'], LEAVES_CHILD);
  const outer = await shown(tree, maker.pid);
  await eventually(async () => (await tree.ok(`ls ${outer}`)) === 'unnamed1', 'the inner one is there');
  const pid = Number(await tree.ok(`cat ${outer}/unnamed1/.procs`));
  await eventually(async () => (await tree.ok(`cat ${outer}/.state`)) === 'stopped', 'it has stopped');
  const number = await numberOf(tree, outer);
  signal(pinned(pid), 'SIGKILL');
  await vanished(tree, number);
});

it('is the same container when its first process ends and another goes on', async () => {
  await using tree = await discovering();
  await using maker = await unshared(
    ['--mount'],
    `sh -c '${OWN_PID.replaceAll("'", `'\\''`)} >&2; exec sleep 1000' & sleep 3`,
  );
  const at = await shown(tree, maker.pid);
  const before = await numberOf(tree, at);
  await eventually(() => !isAlive(maker.pid), 'the first has ended');
  await eventually(async () => (await tree.ok(`readlink ${at}/.init`)) !== `/proc/${maker.pid}`, 'another is first');
  expect(await tree.ok(`stat -c %i ${at}; cat ${at}/.state`)).toBe(`${before}\nrunning`);
});
