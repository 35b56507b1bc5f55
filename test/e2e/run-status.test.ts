import { expect, it } from 'vitest';
import { inside } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

it('exits as the command does: its status, 126, 127, 128+n', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const status = async (...command: string[]) => (await tree.nsdir('run', 'web', '--', ...command)).status;
  expect(await status('true')).toBe(0);
  expect(await status('sh', '-c', 'exit 3')).toBe(3);
  expect(await status('sh', '-c', 'exit 255')).toBe(255);
  expect(await status('/etc/passwd')).toBe(126);
  expect(await status('/nonesuch')).toBe(127);
  expect(await status('nonesuch-in-path')).toBe(127);
  expect(await status('sh', '-c', 'kill -TERM $$')).toBe(128 + 15);
  expect(await status('sh', '-c', 'kill -KILL $$')).toBe(128 + 9);
});

it('says on standard error what cannot be run', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const outcome = await tree.nsdir('run', 'web', '--', '/nonesuch');
  expect(outcome).toMatchObject({ status: 127, stdout: '' });
  expect(outcome.stderr).toMatch(/cannot run "\/nonesuch": No such file or directory/);
});

it('exits with 125 when nsdir is what failed, and makes nothing', async () => {
  await using tree = await mounted();
  const outcome = await tree.nsdir('run', 'missing/job', '--', 'true');
  expect(outcome.status).toBe(125);
  expect(outcome.stderr).toMatch(/make .*missing first: mkdir/);
  expect((await tree.nsdir('run', 'web')).status).toBe(2);
  expect((await tree.nsdir('run', '--ns', 'disk', 'web', '--', 'true')).status).toBe(2);
  expect(await tree.ok('ls')).toBe('');
});

it('refuses a frozen container with 125 and the remedy', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state && echo frozen > web/.state');
  const outcome = await inside(tree, 'web', 'true');
  expect(outcome.status).toBe(125);
  expect(outcome.stderr).toMatch(/is frozen; thaw it: echo running > /);
});
