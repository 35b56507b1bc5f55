import { expect, it } from 'vitest';
import { detached, initOf, nothingLeft, procsOf, scratch } from '../support/containers.ts';
import { eventually, isAlive, mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

it('sends a signal, by name or number, to every process of the subtree', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  await detached(tree, 'web', workload('note-signals', files.at('web')));
  await detached(tree, 'web/job', workload('note-signals', files.at('job')));
  const said = (text: string) => eventually(() => files.read('web') === text && files.read('job') === text, text);
  await said('ready\n');
  await tree.ok('echo USR1 > web/.signal');
  await said('ready\nUSR1\n');
  await tree.ok('echo SIGUSR2 > web/.signal');
  await said('ready\nUSR1\nUSR2\n');
  await tree.ok('echo term > web/.signal');
  await said('ready\nUSR1\nUSR2\nTERM\n');
  await tree.ok('echo 1 > web/.signal');
  await said('ready\nUSR1\nUSR2\nTERM\nHUP\n');
});

it('reaches only the subtree', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  await detached(tree, 'web', workload('note-signals', files.at('web')));
  await detached(tree, 'web/job', workload('note-signals', files.at('job')));
  await eventually(() => files.read('web') === 'ready\n' && files.read('job') === 'ready\n', 'both wait');
  await tree.ok('echo USR1 > web/job/.signal');
  await eventually(() => files.read('job') === 'ready\nUSR1\n', 'the job has it');
  await tree.ok('echo USR2 > web/.signal');
  await eventually(() => files.read('job') === 'ready\nUSR1\nUSR2\n', 'the job has both');
  // The first signal would have come before the second.
  await eventually(() => files.read('web').includes('USR2'), 'web has the second');
  expect(files.read('web')).toBe('ready\nUSR2\n');
});

it('counts real-time signals as the C library does: RTMIN is 34', async () => {
  using files = scratch();
  await using tree = await mounted();
  await detached(tree, 'web', workload('note-real-time', files.at('web')));
  await eventually(() => files.read('web') === 'ready\n', 'it waits');
  await tree.ok('echo RTMIN > web/.signal');
  await eventually(() => files.read('web') === 'ready\n34\n', 'RTMIN has arrived');
  await tree.ok('echo SIGRTMIN+1 > web/.signal');
  await eventually(() => files.read('web') === 'ready\n34\n35\n', 'RTMIN+1 has arrived');
  await tree.ok('echo 36 > web/.signal');
  await eventually(() => files.read('web') === 'ready\n34\n35\n36\n', '36 has arrived');
});

it('ends what runs with TERM and keeps the container', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const init = await initOf(tree, 'web');
  for (let count = 0; count < 3; count++) await detached(tree, 'web', ['sleep', '1000']);
  await tree.ok('echo TERM > web/.signal');
  await eventually(async () => (await procsOf(tree, 'web')).length === 1, 'the commands are dead');
  expect(isAlive(init)).toBe(true);
  expect(await tree.ok('cat web/.state')).toBe('running');
});

it('kills all, the init too, with KILL; the container is stopped with 137', async () => {
  await using tree = await mounted();
  // An init of its own, which does not end with the command.
  await tree.ok('mkdir web && echo running > web/.state');
  await detached(tree, 'web', workload('deaf'));
  await tree.ok('echo KILL > web/.signal');
  await eventually(async () => (await tree.ok('cat web/.state')) === 'stopped', 'it has stopped');
  expect(await tree.ok('cat web/.exit')).toBe('137');
  await nothingLeft(tree);
});

it.each(['FOO', '0', '65', '-1', 'RTMIN+31', 'RTMIN-1', 'TERM KILL', '15x'])(
  'refuses "%s" with EINVAL and the reason',
  async (word) => {
    await using tree = await mounted();
    await tree.ok('mkdir web && echo running > web/.state');
    await detached(tree, 'web', ['sleep', '1000']);
    const write = `import os; os.write(os.open("web/.signal", os.O_WRONLY), b"${word}")`;
    const { stdout } = await tree.sh(`python3 -c '${write}' 2>&1 | tail -n 1`);
    expect(stdout).toMatch(/^OSError: \[Errno 22\] Invalid argument/);
    expect(await tree.ok('cat web/.error')).toMatch(
      /^EINVAL: ".*" is not a signal; write a name such as TERM, or 1 to 64$/,
    );
    expect(await procsOf(tree, 'web')).toHaveLength(2);
  },
);

it('says nothing when read, and is the owner’s to write', async () => {
  await using tree = await mounted();
  await tree.ok('chmod 755 . && mkdir web && echo running > web/.state');
  await detached(tree, 'web', ['sleep', '1000']);
  expect(await tree.ok('cat web/.signal; stat -c "%a %s" web/.signal')).toBe('200 0');
  expect(await tree.as(1000, 'echo KILL > web/.signal')).toMatchObject({ status: 2 });
  expect(await procsOf(tree, 'web')).toHaveLength(2);
});
