import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { consistent } from '../support/consistency.ts';
import { initOf, nothingLeft } from '../support/containers.ts';
import { runningDaemon, serving } from '../support/daemon-deaths.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { lives, pinned, pinnedIn, signal } from '../support/pinned.ts';

/** The run directory is a file system of its own, with 1 MB. */
const disk = mkdtempSync('/var/tmp/nsdir-full-');
let tree: Mounted;
beforeAll(async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
  const own = await mounted('--run-dir', `${disk}/run`);
  const instance = { ...own.instance, runDir: `${disk}/run` };
  const { daemonPid } = runFiles(instance);
  tree = {
    ...own,
    instance,
    daemonPid: () => Number(readFileSync(daemonPid, 'utf8')),
    daemon: () => pinnedIn(daemonPid),
  };
});
afterAll(async () => {
  empty();
  await tree.nsdir('umount', '--kill', '--lazy', '--run-dir', `${disk}/run`, tree.dir);
  execFileSync('umount', ['--lazy', disk]);
  rmSync(disk, { recursive: true });
});

beforeEach(async () => {
  await tree.ok(
    'mkdir web cold to gone; echo running > web/.state; echo running > cold/.state; echo frozen > cold/.state',
  );
});
afterEach(async () => {
  empty();
  await tree.ok('rm -rf $(ls)');
  await nothingLeft(tree);
});

/** Nobody gets another page there, and nothing that changes something fits on those that files have. */
async function fill(): Promise<void> {
  const { bavail, bsize } = statfsSync(disk);
  execFileSync('fallocate', ['-l', String(bavail * bsize), `${disk}/ballast`]);
  for (const command of ['chmod 755 web', 'echo CONT > cold/.signal']) {
    await tree.sh(`i=0; while [ $i -lt 200 ] && ${command}; do i=$((i+1)); done`);
  }
}

function empty(): void {
  rmSync(`${disk}/ballast`, { force: true });
}

test('with the run directory full, what changes something is ENOSPC', async () => {
  await fill();
  for (const command of ['mkdir new', 'mv web to/moved', 'mv web name', 'chmod 700 web', 'rmdir gone']) {
    expect([command, (await tree.sh(command)).stderr]).toEqual([
      command,
      expect.stringContaining('No space left on device'),
    ]);
  }
  for (const [word, name] of [
    ['running', 'to'],
    ['frozen', 'web'],
    ['running', 'cold'],
    ['stopped', 'web'],
  ] as const) {
    const { status, stderr } = await tree.sh(`printf ${word} | dd of=${name}/.state conv=notrunc status=none`);
    expect([word, name, status, stderr]).toEqual([word, name, 1, expect.stringContaining('No space left on device')]);
  }
  expect(await tree.ok('ls; cat web/.state cold/.state; stat -c %a web')).toBe(
    'cold\ngone\nto\nweb\nrunning\nfrozen\n755',
  );
  await consistent(tree);
  expect((await tree.sh('rm -rf web')).stderr).toContain('No space left on device');
  expect(await tree.ok('cat web/.state; ls -A web | grep -c state')).toBe('running\n1');
  await consistent(tree);
});

test('when there is room again, everything works again', async () => {
  await fill();
  expect((await tree.sh('mkdir new')).status).toBe(1);
  empty();
  await tree.ok('mkdir new; echo running > new/.state; mv web to/moved; echo running > cold/.state; rmdir gone');
  expect(await tree.ok('ls; cat to/moved/.state cold/.state new/.state')).toBe(
    'cold\nnew\nto\nrunning\nrunning\nrunning',
  );
  await consistent(tree);
});

test('an init that ends while the run directory is full is known to have ended when there is room', async () => {
  const init = pinned(await initOf(tree, 'web'));
  await fill();
  signal(init, 'SIGKILL');
  await eventually(() => !lives(init), 'it is dead');
  await sleep(300);
  empty();
  await eventually(async () => (await tree.ok('cat web/.state web/.exit')) === 'stopped\n137', 'it has stopped');
  await consistent(tree);
});

test('a daemon that dies while the run directory is full is followed by one that serves', async () => {
  await fill();
  const daemon = tree.daemon();
  signal(daemon, 'SIGKILL');
  await eventually(() => !lives(daemon) && runningDaemon(tree) !== undefined, 'another daemon is started');
  expect(await tree.ok('ls; cat web/.state cold/.state')).toBe('cold\ngone\nto\nweb\nrunning\nfrozen');
  expect((await tree.sh('mkdir new')).stderr).toContain('No space left on device');
  empty();
  await tree.ok('mkdir new');
  await serving(tree);
  await consistent(tree);
});
