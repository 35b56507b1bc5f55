import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { stateFiles } from '../../src/instance.ts';
import { eventually, mounted } from '../support/mounted.ts';

const FIRST = 1;

it('shows no output of a container that had the same number before the machine was booted', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  writeFileSync(stateFiles(tree.instance, FIRST).output, 'of another container\n');
  await tree.nsdir('run', '-d', 'web', '--', 'echo', 'its own');
  await eventually(async () => (await tree.nsdir('logs', 'web')).stdout.includes('its own'), 'it has written');
  expect(await tree.nsdir('logs', 'web')).toMatchObject({ stdout: 'its own' });
});
