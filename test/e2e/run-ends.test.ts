import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { attached, initOf, inside } from '../support/containers.ts';
import { eventually, isAlive, mounted, type Mounted } from '../support/mounted.ts';
import { pinned, pinnedIn, signal } from '../support/pinned.ts';

/** Nobody tells the daemon of inits that end while the launcher stands still. */
const launcherOf = (tree: Mounted) => pinnedIn(runFiles(tree.instance).launcherPid);

it('nsdir run returns when the container has ended with its main command', async () => {
  await using tree = await mounted();
  const main = attached(tree, 'web', ['sh', '-c', 'read line; exit 3']);
  await eventually(async () => (await tree.sh('[ "$(wc -l < web/.procs)" = 2 ]')).status === 0, 'it runs');
  const init = await initOf(tree, 'web');
  const launcher = launcherOf(tree);
  signal(launcher, 'SIGSTOP');
  try {
    main.stdin.end('go on\n');
    await eventually(() => !isAlive(init), 'its init has ended');
    await sleep(300);
    expect(main.exitCode).toBe(null);
  } finally {
    signal(launcher, 'SIGCONT');
  }
  expect((await main).exitCode).toBe(3);
  expect(await tree.ok('cat web/.state web/.exit; rm -r web; ls')).toBe('stopped\n3');
});

it('nsdir run returns all the same when nobody hears of that end', async () => {
  await using tree = await mounted();
  const main = attached(tree, 'web', ['sh', '-c', 'read line; exit 3']);
  await eventually(async () => (await tree.sh('[ "$(wc -l < web/.procs)" = 2 ]')).status === 0, 'it runs');
  const daemon = tree.daemon();
  signal(daemon, 'SIGSTOP');
  try {
    main.stdin.end('go on\n');
    expect((await main).exitCode).toBe(3);
  } finally {
    signal(daemon, 'SIGCONT');
  }
});

it('starts a container beside the one that was around it and is ending', async () => {
  await using tree = await mounted();
  const launcher = launcherOf(tree);
  for (let round = 0; round < 5; round++) {
    await tree.ok('mkdir -p web/in; echo running > web/.state');
    const init = await initOf(tree, 'web');
    signal(launcher, 'SIGSTOP');
    signal(pinned(init), 'SIGKILL');
    await eventually(() => !isAlive(init), 'the one around it has ended');
    const started = inside(tree, 'web/in', 'echo it runs');
    await sleep(300);
    signal(launcher, 'SIGCONT');
    expect(await started).toMatchObject({ status: 0, stdout: 'it runs' });
    expect(await tree.ok('cat web/.state web/in/.state; rm -r web')).toBe('stopped\nstopped');
  }
});
