import { describe, expect, test } from 'vitest';
import { S_IFREG } from '../../../src/tree/filesystem.ts';
import { errnoOf, FakeTree } from '../../support/fake-tree.ts';

const [S_IFIFO, S_IFCHR, S_IFSOCK] = [0o010000, 0o020000, 0o140000] as const;
const LONG = 'x'.repeat(256);

describe('Tree.mknod', () => {
  test.each<[string, number, string]>([
    ['file', S_IFREG, 'EPERM'],
    ['fifo', S_IFIFO, 'EPERM'],
    ['device', S_IFCHR, 'EPERM'],
    ['socket', S_IFSOCK, 'EPERM'],
    ['.nothing', S_IFREG, 'EPERM'],
    ['.state', S_IFIFO, 'EPERM'],
    ['.ns', S_IFREG, 'EPERM'],
    ['.init', S_IFREG, 'EPERM'],
    ['web', S_IFREG, 'EEXIST'],
    [LONG, S_IFREG, 'ENAMETOOLONG'],
    ['.state', S_IFREG, 'OK'],
    ['.exit', S_IFREG, 'OK'],
  ])('of %.20s with type %o in a directory: %s', async (name, type, errno) => {
    using it = new FakeTree();
    it.mkdir('home');
    it.mkdir('home/web');
    expect(await errnoOf(() => it.tree.mknod(it.request(), it.id('home'), name, type | 0o644))).toBe(errno);
    expect(await it.ls('home')).toEqual(['web']);
  });
});

describe('Tree.symlink and Tree.link', () => {
  test.each([
    ['other', 'EPERM'],
    ['web', 'EEXIST'],
    [LONG, 'ENAMETOOLONG'],
  ])('of %.20s: %s', async (name, errno) => {
    using it = new FakeTree();
    it.mkdir('web');
    expect(await errnoOf(() => it.tree.symlink(it.request(), it.id(''), name, 'web'))).toBe(errno);
    expect(await errnoOf(() => it.tree.link(it.request(), it.id('web'), it.id(''), name))).toBe(errno);
  });
});

describe('Tree.mkdir', () => {
  test.each([
    ['.state', 'EINVAL'],
    ['a\nb', 'EINVAL'],
    ['web', 'EEXIST'],
    [LONG, 'ENAMETOOLONG'],
    ['.ns', 'OK'],
    ['other', 'OK'],
  ])('of %.20s: %s', async (name, errno) => {
    using it = new FakeTree();
    it.mkdir('home');
    it.mkdir('home/web');
    expect(await errnoOf(() => it.tree.mkdir(it.request(), it.id('home'), name, 0o755))).toBe(errno);
  });

  test('ENOENT in a container that was removed, ENOTDIR in a control file', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    const gone = it.id('web');
    await it.rmdir('web');
    expect(await errnoOf(() => it.tree.mkdir(it.request(), gone, 'job', 0o755))).toBe('ENOENT');
    expect(await errnoOf(() => it.tree.mkdir(it.request(), it.id('.state'), 'job', 0o755))).toBe('ENOTDIR');
  });
});

describe('Tree, in .ns before the start', () => {
  test('a file asks for a namespace, its unlinking takes that back', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    it.mkdir('web/.ns');
    expect(
      await errnoOf(() => {
        it.mkdir('web/.ns');
      }),
    ).toBe('EEXIST');
    for (const kind of ['user', 'net']) await it.create(`web/.ns/${kind}`);
    expect([await it.ls('web'), await it.ls('web/.ns')]).toEqual([['.ns'], ['net', 'user']]);
    it.unlink('web/.ns/user');
    expect(it.container('web').kinds).toEqual(['net']);
    await it.write('web/.state', 'running');
    expect(it.container('web').kinds).toContain('net');
    expect(it.container('web').kinds).not.toContain('user');
  });

  test('holds nothing but kinds', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    it.mkdir('web/.ns');
    expect(await errnoOf(() => it.tree.mknod(it.request(), it.id('web/.ns'), 'other', S_IFREG))).toBe('EPERM');
    expect(await errnoOf(() => it.tree.mkdir(it.request(), it.id('web/.ns'), 'net', 0o755))).toBe('EPERM');
  });

  test('goes when it is empty', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    it.mkdir('web/.ns');
    await it.create('web/.ns/net');
    expect(await errnoOf(() => it.rmdir('web/.ns'))).toBe('ENOTEMPTY');
    it.unlink('web/.ns/net');
    await it.rmdir('web/.ns');
    expect([await it.ls('web'), it.container('web').kinds]).toEqual([[], undefined]);
    await it.rmdir('web');
  });

  test('EPERM to ask after the start', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    await it.write('web/.state', 'running');
    expect(await errnoOf(() => it.create('web/.ns/net'))).toBe('EPERM');
  });
});
