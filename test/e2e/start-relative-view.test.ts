import { expect, it } from 'vitest';
import { inside, okInside } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

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
