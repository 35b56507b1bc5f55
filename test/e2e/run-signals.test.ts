import { expect, it } from 'vitest';
import { attached, procsOf, scratch } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

it.each(['HUP', 'INT', 'TERM', 'USR1', 'USR2'] as const)('passes SIG%s on to the command', async (name) => {
  using files = scratch();
  await using tree = await mounted();
  const run = attached(tree, 'web', workload('note-signals', files.at('signals')));
  await eventually(() => files.read('signals') === 'ready\n', 'the command waits for signals');
  run.kill(`SIG${name}`);
  await eventually(() => files.read('signals') === `ready\n${name}\n`, `SIG${name} arrived, once`);
  run.kill('SIGQUIT');
  expect((await run).exitCode).toBe(9);
  expect(files.read('signals')).toBe(`ready\n${name}\nQUIT\n`);
});

it('exits with 128+n when the signal that it passed on ends the command', async () => {
  await using tree = await mounted();
  const run = attached(tree, 'web', ['sleep', '1000']);
  await eventually(async () => (await procsOf(tree, 'web')).length === 2, 'it runs');
  run.kill('SIGTERM');
  expect((await run).exitCode).toBe(128 + 15);
});

it('exits with 137 when the container is killed', async () => {
  await using tree = await mounted();
  const run = attached(tree, 'web', ['sleep', '1000']);
  await eventually(async () => (await procsOf(tree, 'web')).length === 2, 'it runs');
  await tree.ok('rm -rf web');
  expect((await run).exitCode).toBe(128 + 9);
});
