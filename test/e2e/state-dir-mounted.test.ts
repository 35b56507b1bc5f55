import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { beforeEach, expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';
import { scratch } from '../support/scratch.ts';

/** A file system in memory, of which containers see nothing. */
let state: string;
beforeEach(async () => {
  const disk = scratch();
  state = disk.at('state');
  mkdirSync(state);
  await execa('mount', ['-t', 'tmpfs', '-o', 'mode=711', 'tmpfs', state]);
  return async () => {
    await execa('umount', ['--lazy', state], { reject: false });
    disk[Symbol.dispose]();
  };
});

it('says why nothing is detached where containers do not see the directory for its output', async () => {
  const directory = path.join(state, 'tree');
  await using tree = await mounted('--state-dir', directory);
  const { status, stderr } = await tree.nsdir('run', '--state-dir', directory, '-d', 'web', '--', 'sleep', '1000');
  expect(status).toBe(126);
  expect(stderr).toMatch(/cannot open \S+\.log for the output, as the container sees it: No such file or directory$/);
});

it('takes all away but the mount that somebody else made for it', async () => {
  await using tree = await mounted('--state-dir', state);
  await tree.ok('mkdir web; echo running > web/.state');
  const cgroup = tree.cgroup();
  expect(existsSync(cgroup)).toBe(true);
  expect(await tree.nsdir('umount', '--kill', '--state-dir', state, tree.dir)).toMatchObject({ status: 0, stderr: '' });
  expect([existsSync(cgroup), readdirSync(state)]).toEqual([false, []]);
});
