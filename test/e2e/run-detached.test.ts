import { expect, it } from 'vitest';
import { attached, detached } from '../support/containers.ts';
import { eventually, mounted, NSDIR } from '../support/mounted.ts';
import { execa } from 'execa';

it('returns at once, and the command runs on', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sleep', '1000']);
  expect(await tree.ok('cat web/.state && cat $(readlink web/.init)/comm && wc -l < web/.procs')).toBe(
    'running\nnsdir-init\n2',
  );
});

it('shows with nsdir logs what it wrote to standard output and standard error', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sh', '-c', 'echo one; echo two >&2; echo three']);
  await eventually(async () => (await tree.ok('cat web/.state')) === 'stopped', 'it has ended');
  expect(await tree.nsdir('logs', 'web')).toEqual({ status: 0, stdout: 'one\ntwo\nthree', stderr: '' });
  expect(await tree.nsdir('logs', '-n', '1', 'web')).toMatchObject({ stdout: 'three' });
});

it('follows with nsdir logs -f until the container has ended', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sh', '-c', 'echo one; sleep 0.5; echo two; sleep 0.5; echo three']);
  const { status, stdout } = await tree.nsdir('logs', '-f', 'web');
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'one\ntwo\nthree' });
  expect(await tree.ok('cat web/.state')).toBe('stopped');
});

it('shows a line with nsdir logs -f while the container goes on', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sh', '-c', 'echo first; sleep 1000']);
  const logs = execa(process.execPath, [NSDIR, 'logs', '-f', 'web'], {
    env: { NSDIR_MOUNT: tree.dir },
    reject: false,
    timeout: 20_000,
  });
  let shown;
  for await (const line of logs.iterable()) {
    shown = line;
    // Leaving the loop waits for its end.
    logs.kill('SIGKILL');
    break;
  }
  await logs;
  expect(shown).toBe('first');
  expect(await tree.ok('cat web/.state')).toBe('running');
});

it('collects the output of several detached commands', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  for (const word of ['a', 'b', 'c']) await detached(tree, 'web', ['echo', word]);
  await eventually(async () => (await tree.nsdir('logs', 'web')).stdout === 'a\nb\nc', 'all have written');
});

it('leaves the output of attached commands to who asked', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  expect((await attached(tree, 'web', ['echo', 'mine'])).stdout).toBe('mine');
  expect(await tree.nsdir('logs', 'web')).toMatchObject({ status: 0, stdout: '' });
});

it.each([
  ['nonesuch', 127, 'No such file or directory'],
  ['/etc/passwd', 126, 'Permission denied'],
  ['/etc', 126, 'Permission denied'],
])('says that it cannot run %s, with status %i', async (command, status, why) => {
  await using tree = await mounted();
  const stderr = `nsdir: cannot run "${command}": ${why}`;
  expect(await tree.nsdir('run', '-d', 'web', '--', command)).toEqual({ status, stdout: '', stderr });
  await eventually(
    async () => (await tree.ok('cat web/.exit')) === String(status),
    `the container ended with ${status}`,
  );
  expect((await tree.nsdir('logs', 'web')).stdout).toBe(stderr);
});

it('finds a detached command by PATH and working directory as the container has them', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  await tree.nsdir('run', 'web', '--', 'sh', '-c', 'printf "#!/bin/sh\necho hello\n" > /run/here; chmod +x /run/here');
  const run = (at: string, ...command: string[]) =>
    execa(process.execPath, [NSDIR, 'run', '-d', 'web', '--', ...command], {
      ...{ cwd: at, reject: false, stdin: 'ignore' },
      env: { NSDIR_MOUNT: tree.dir, PATH: `/nonesuch:/run:${process.env['PATH'] ?? ''}` },
    });
  for (const [at, command] of [
    ['/', 'here'],
    ['/', 'run/here'],
    ['/run', './here'],
  ] as const) {
    expect(await run(at, command)).toMatchObject({ exitCode: 0, stderr: '' });
  }
  expect(await run('/', './here')).toMatchObject({ exitCode: 127 });
  await eventually(
    async () => (await tree.nsdir('logs', 'web')).stdout.startsWith('hello\nhello\nhello'),
    'all have run',
  );
});

it('ends the container with 127 where a detached command is not there, and says so in the log', async () => {
  await using tree = await mounted();
  await tree.nsdir('run', '-d', 'web', '--', '/nonesuch');
  await eventually(async () => (await tree.ok('cat web/.exit')) === '127', 'the container ended with 127');
  expect((await tree.nsdir('logs', 'web')).stdout).toMatch(/cannot run "\/nonesuch"/);
});
