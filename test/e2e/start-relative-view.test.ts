import { copyFileSync } from 'node:fs';
import { release } from 'node:os';
import { expect, it } from 'vitest';
import { inside, okInside, scratch } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

const BY_HANDLE = new URL('../support/by-handle.py', import.meta.url).pathname;

it('shows a container its own subtree at the mount point', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job other');
  expect(await okInside(tree, 'web', `ls ${tree.dir}`)).toBe('job');
  expect(await okInside(tree, 'web/job', `ls ${tree.dir}`)).toBe('');
});

it('makes a container inside what outside is one below it', async () => {
  await using tree = await mounted();
  await okInside(tree, 'web', `mkdir ${tree.dir}/job ${tree.dir}/other && rmdir ${tree.dir}/other`);
  expect(await tree.ok('ls . web')).toBe('.:\nweb\n\nweb:\njob');
  await tree.ok('mkdir web/late');
  expect(await okInside(tree, 'web', `ls ${tree.dir}`)).toBe('job\nlate');
});

it('starts a container from inside, below the one that asked', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  await okInside(tree, 'web', `cd ${tree.dir} && mkdir job && echo running > job/.state`);
  expect(await tree.ok('cat web/job/.state && cat web/.cgroup/cgroup.type && readlink web/job/.cgroup')).toMatch(
    /^running\ndomain\n.*\/\d+\/\d+$/,
  );
});

it('has no way up: .. of its directory is the directory it is mounted in', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web other');
  const up = await okInside(tree, 'web', `cd ${tree.dir} && stat -c %d:%i .. && stat -c %d:%i $(dirname ${tree.dir})`);
  const [above, base] = up.split('\n');
  expect(above).toBe(base);
  // A shell's own cd would take the last name away, and not ask the kernel.
  expect(await okInside(tree, 'web', `ls ${tree.dir}/..`)).not.toContain('other');
});

it('finds no way up in the descriptors, working directories and roots of its processes', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web other-container');
  const seen = await inside(
    tree,
    'web',
    'for at in /proc/[0-9]*/fd/* /proc/[0-9]*/cwd /proc/[0-9]*/root; do ls $at/.. $at/../..; done',
  );
  expect(seen.stdout).not.toContain('other-container');
});

it('finds nothing outside by file handles, also such as nobody gave out', async ({ skip }) => {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  skip(major < 6 || (major === 6 && minor < 9), 'this kernel takes such handles (before Linux 6.9)');
  await using tree = await mounted();
  using files = scratch();
  await tree.ok('mkdir web web/job other other/secret');
  copyFileSync(BY_HANDLE, files.at('by-handle.py'));
  // They are known to the kernel by now.
  const inodes = (await tree.ok('stat -c %i . other other/secret')).split('\n').join(' ');
  const opened = await okInside(tree, 'web', `python3 ${files.at('by-handle.py')} ${tree.dir} ${inodes} $(seq 20)`);
  expect(opened).toBe('138 tried');
});

it('is told by .self which container it is in, from where it looks', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job');
  expect(await okInside(tree, 'web', `readlink ${tree.dir}/.self`)).toBe('.');
  expect(await okInside(tree, 'web/job', `readlink ${tree.dir}/.self`)).toBe('.');
  expect(await tree.ok('readlink .self')).toBe('.');
  expect(await tree.sh('readlink web/.self')).toMatchObject({ status: 1 });
});

it('resolves .self as a path: the caller’s own directory', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await okInside(tree, 'web', `cat ${tree.dir}/.self/.state && ls -d ${tree.dir}/.self/`)).toBe(
    `running\n${tree.dir}/.self/`,
  );
});
