import { afterAll, beforeAll, expect, it } from 'vitest';
import { initOf } from '../support/containers.ts';
import { isAlive, mounted, type Mounted } from '../support/mounted.ts';
import { renameat2 } from '../support/renameat2.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

/** As the tree lists them and as stat(2) tells them, which stat(1) may leave to what the kernel remembers. */
const INODES = `
import os, sys
for name in sys.argv[1:]:
    parent, own = os.path.split(name)
    listed = [each.inode() for each in os.scandir(parent or ".") if each.name == own]
    assert listed == [os.stat(name).st_ino], name
    print(*listed)`;

const inodes = (...names: string[]) =>
  tree.ok(`exec python3 -c '${INODES}' ${names.join(' ')}`).then((text) => text.split('\n'));

it('keeps the inode number of what it renames and moves', async () => {
  await tree.ok('mkdir a a/in other');
  const [before, inner] = await inodes('a', 'a/in');
  await tree.ok('mv a b');
  expect(await inodes('b', 'b/in')).toEqual([before, inner]);
  await tree.ok('mv b other/c');
  expect(await inodes('other/c', 'other/c/in')).toEqual([before, inner]);
});

it('replaces an empty container, and no other', async () => {
  await tree.ok('mkdir empty full full/in new newer');
  const [moved] = await inodes('new');
  await tree.ok('mv -T new empty');
  expect(await inodes('empty')).toEqual([moved]);
  expect((await tree.sh('mv -T newer full')).stderr).toContain('Directory not empty');
  expect(await tree.ok('ls -d newer full/in empty')).toBe('empty\nfull/in\nnewer');
});

it('does not replace a running container, which goes on', async () => {
  await tree.ok('mkdir runs late && echo running > runs/.state');
  const init = await initOf(tree, 'runs');
  expect((await tree.sh('mv -T late runs')).stderr).toContain('Directory not empty');
  expect(isAlive(init)).toBe(true);
  await tree.ok('ls -d late && cat runs/.state');
});

it('gives a running container another name without anything in it noticing', async () => {
  await tree.ok('mkdir first && echo running > first/.state');
  const init = await initOf(tree, 'first');
  await tree.ok('mv first second');
  expect(await initOf(tree, 'second')).toBe(init);
  expect(isAlive(init)).toBe(true);
  expect((await tree.sh('ls -d first')).status).not.toBe(0);
});

it('replaces nothing under RENAME_NOREPLACE', async () => {
  await tree.ok('mkdir n1 n2');
  const [n1, n2] = await inodes('n1', 'n2');
  expect((await renameat2(tree, 'n1', 'n2', 'NOREPLACE')).stderr).toBe('File exists');
  expect(await inodes('n1', 'n2')).toEqual([n1, n2]);
  expect(await renameat2(tree, 'n1', 'n3', 'NOREPLACE')).toMatchObject({ status: 0 });
  expect(await inodes('n3')).toEqual([n1]);
});

it('swaps two containers under RENAME_EXCHANGE, running or not, in one directory or two', async () => {
  await tree.ok('mkdir x1 y y/x2 && echo running > x1/.state && echo running > y/x2/.state');
  const [one, two] = await inodes('x1', 'y/x2');
  const [initOne, initTwo] = [await initOf(tree, 'x1'), await initOf(tree, 'y/x2')];
  expect(await renameat2(tree, 'x1', 'y/x2', 'EXCHANGE')).toMatchObject({ status: 0, stderr: '' });
  expect(await inodes('x1', 'y/x2')).toEqual([two, one]);
  expect([await initOf(tree, 'x1'), await initOf(tree, 'y/x2')]).toEqual([initTwo, initOne]);
  expect([isAlive(initOne), isAlive(initTwo)]).toEqual([true, true]);

  await tree.ok('mkdir x3');
  const [three] = await inodes('x3');
  expect(await renameat2(tree, 'x1', 'x3', 'EXCHANGE')).toMatchObject({ status: 0 });
  expect(await inodes('x1', 'x3')).toEqual([three, two]);
  expect((await renameat2(tree, 'x1', 'nobody', 'EXCHANGE')).stderr).toBe('No such file or directory');
});

it('puts nothing into itself', async () => {
  await tree.ok('mkdir loop loop/in');
  expect((await tree.sh('mv loop loop/in/deeper')).stderr).toContain('subdirectory of itself');
  expect((await renameat2(tree, 'loop', 'loop/in', 'EXCHANGE')).stderr).toBe('Invalid argument');
  await tree.ok('ls -d loop/in');
});
