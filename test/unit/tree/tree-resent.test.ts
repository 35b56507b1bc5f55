import { describe, expect, test } from 'vitest';
import type { Request } from '../../../src/tree/filesystem.ts';
import { errnoOf, FakeTree } from '../../support/fake-tree.ts';

/** The same request as the kernel sends it to the next daemon. */
const again = (request: Request): Request => ({ ...request, resent: true });

describe('Tree, asked again what a former daemon did but could not answer', () => {
  test('mkdir: the container is there, once', () => {
    using it = new FakeTree();
    const request = it.request();
    const first = it.mkdir('web', request);
    expect(it.mkdir('web', again(request))).toEqual(first);
    expect(it.store.registry.size).toBe(2);
  });

  test('rmdir: done, though the name was taken anew', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    const request = it.request();
    await it.rmdir('web', request);
    await it.rmdir('web', again(request));
    it.mkdir('web');
    await it.rmdir('web', again(request));
    expect(it.store.registry.size).toBe(2);
  });

  test('rename: not undone by an exchange', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    it.mkdir('db');
    const { serial } = it.container('web');
    const request = it.request();
    for (const sent of [request, again(request), again(request)]) await it.rename('web', 'db', 2, sent);
    expect(it.container('db').serial).toBe(serial);
  });

  test('a start: not started twice', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    const request = it.request();
    await it.write('web/.state', 'running', request);
    await it.write('web/.state', 'running', again(request));
    expect(it.starts).toHaveLength(1);
  });

  test('a signal: not sent twice', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    await it.write('web/.state', 'running');
    it.spawn(it.container('web'));
    let count = 0;
    it.kernel.onSignal = () => (count += 1);
    const request = it.request();
    await it.write('web/.signal', 'TERM', request);
    await it.write('web/.signal', 'TERM', again(request));
    expect(count).toBe(1);
  });

  test('unlink: done, for a report and for an entry', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    await errnoOf(() => it.write('web/.state', 'frozen'));
    const request = it.request();
    it.unlink('web/.error', request);
    it.unlink('web/.error', again(request));
    expect(await it.ls('web')).toEqual([]);
  });

  test('mkdir, touch, rm and rmdir in .ns: done once', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    const made = it.request();
    for (const request of [made, again(made)]) it.mkdir('web/.ns', request);
    const touched = it.request();
    for (const request of [touched, again(touched)]) await it.create('web/.ns/net', request);
    expect(it.container('web').kinds).toEqual(['net']);
    const removed = it.request();
    for (const request of [removed, again(removed)]) it.unlink('web/.ns/net', request);
    const gone = it.request();
    for (const request of [gone, again(gone)]) await it.rmdir('web/.ns', request);
    expect(it.container('web').kinds).toBeUndefined();
  });

  test('what was not done yet is done', async () => {
    using it = new FakeTree();
    it.mkdir('web', again(it.request()));
    await it.rename('web', 'www', 0, again(it.request()));
    await it.write('www/.state', 'running', again(it.request()));
    expect(it.container('www').phase).toBe('running');
    await it.write('www/.state', 'stopped', again(it.request()));
    expect(it.container('www').phase).toBe('stopped');
  });

  test('what is refused is refused again', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    const request = again(it.request());
    expect(await errnoOf(() => it.write('web/.state', 'frozen', request))).toBe('EBUSY');
    expect(await errnoOf(() => it.rmdir('nothing', request))).toBe('ENOENT');
    expect(
      await errnoOf(() => {
        it.mkdir('web', request);
      }),
    ).toBe('EEXIST');
  });
});
