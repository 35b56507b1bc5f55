import { constants } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { S_IFMT, S_IFREG } from '../../../src/tree/filesystem.ts';
import { errnoOf, FakeTree } from '../../support/fake-tree.ts';

const { O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** A tree in which `web` runs, with a process beside its init. */
async function running(): Promise<FakeTree> {
  const it = new FakeTree();
  it.mkdir('web');
  await it.write('web/.state', 'running');
  it.spawn(it.container('web'));
  it.cgroupfs.volume.symlinkSync('pid:[5]', '/proc/self/ns/pid');
  return it;
}

describe('Tree.getattr', () => {
  test('tells the size of the text that is read then', async () => {
    using it = await running();
    await errnoOf(() => it.write('web/.state', 'nonsense'));
    const caller = it.request({ pid: it.spawn('/sys/fs/cgroup/shell') });
    const sizes: Record<string, number> = {};
    for (const name of await it.ls('web')) {
      const { mode, size } = await it.tree.getattr(caller, it.id(`web/${name}`));
      if ((mode & S_IFMT) !== S_IFREG || name === '.signal') continue;
      sizes[name] = size;
      const text = await it.read(`web/${name}`, caller);
      expect([name, Buffer.byteLength(text)]).toEqual([name, size]);
    }
    expect(Object.keys(sizes)).toEqual(['.state', '.nsproxy', '.procs', '.stat', '.events', '.error']);
    expect(Object.values(sizes).every((size) => size > 0)).toBe(true);
  });

  test('tells the length of a link for this caller', async () => {
    using it = await running();
    const caller = it.request({ pid: it.spawn('/sys/fs/cgroup/shell') });
    const { size } = await it.tree.getattr(caller, it.id('web/.init'));
    expect(size).toBe(it.tree.readlink(caller, it.id('web/.init')).length);
  });

  test('.nsproxy has a link for each task, and one more', async () => {
    using it = await running();
    expect((await it.tree.getattr(it.request(), it.id('web/.nsproxy'))).nlink).toBe(3);
  });

  test('of a directory that was removed, while somebody has it open', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    const gone = it.id('web');
    await it.rmdir('web');
    expect(await it.tree.getattr(it.request(), gone)).toMatchObject({ id: gone, nlink: 0 });
  });

  test('a time is that of what happened, not that of the question', async () => {
    using it = await running();
    const { changed } = it.container('web');
    for (const name of ['.state', '.procs', '.stat', '.ns']) {
      expect((await it.tree.getattr(it.request(), it.id(`web/${name}`))).mtime).toEqual(changed);
    }
  });
});

describe('Tree.open', () => {
  test('of what has nothing to say is ESTALE, so that the kernel looks the name up again', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    for (const flags of [O_RDONLY, O_WRONLY, O_RDWR]) {
      expect(await errnoOf(() => it.tree.open(it.request(), it.id('web/.state'), flags))).toBe('ESTALE');
    }
  });

  test('EISDIR for a container', async () => {
    using it = await running();
    expect(await errnoOf(() => it.tree.open(it.request(), it.id('web'), O_RDONLY))).toBe('EISDIR');
  });

  test('what is created silent has attributes while it is open, and reads as empty', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    const request = it.request();
    const { handle, entry } = await it.tree.create(request, it.id('web'), '.stat', 0o644, O_RDWR);
    const id = it.id('web/.stat');
    expect(entry).toMatchObject({ attr: { id, size: 0 }, cacheable: false, fleeting: true });
    expect((await it.tree.getattr(request, id)).size).toBe(0);
    expect(await it.tree.read(request, id, handle, 0, 100)).toHaveLength(0);
    it.tree.release(request, id, handle);
    expect(await errnoOf(() => it.tree.getattr(request, id))).toBe('ESTALE');
  });

  test('gives handles that no other daemon gives', async () => {
    using it = await running();
    const handles: number[] = [];
    for (const tree of [it.daemon(2), it.daemon(2), it.daemon(2 ** 32 + 2)]) {
      for (let i = 0; i < 2; i++) handles.push((await tree.open(it.request(), it.id('web/.state'), O_RDONLY)).handle);
    }
    expect(handles).toEqual([2, 4, 2, 4, 2 ** 32 + 2, 2 ** 32 + 4]);
  });
});

describe('Tree.read', () => {
  test.each(['.state', '.procs', '.events'])('%s goes on through a handle of a former daemon', async (name) => {
    using it = await running();
    const caller = it.request({ pid: it.spawn('/sys/fs/cgroup/shell') });
    const id = it.id(`web/${name}`);
    const { handle } = await it.tree.open(caller, id, O_RDONLY);
    const before = await it.tree.read(caller, id, handle, 0, 4096);
    const next = it.daemon(2 ** 32 + 2);
    expect(Buffer.from(await next.read(caller, id, handle, 0, 4096))).toEqual(Buffer.from(before));
    expect(await next.read(caller, id, handle, before.length, 4096)).toHaveLength(0);
    next.release(caller, id, handle);
  });

  test('gives what was there at the open, though it changes', async () => {
    using it = await running();
    const request = it.request();
    const id = it.id('web/.state');
    const { handle } = await it.tree.open(request, id, O_RDONLY);
    await it.write('web/.state', 'frozen');
    expect(Buffer.from(await it.tree.read(request, id, handle, 0, 100)).toString()).toBe('running\n');
    expect(await it.read('web/.state')).toBe('frozen\n');
  });
});

describe('Tree.setattr', () => {
  test('of a container is kept; type bits and what was not given are not touched', () => {
    using it = new FakeTree();
    it.mkdir('web');
    const { atime } = it.container('web');
    const attr = it.tree.setattr(it.request(), it.id('web'), { mode: 0o041777, uid: 5, mtime: { sec: 3, nsec: 4 } });
    expect(attr).toMatchObject({ mode: 0o041777, uid: 5, gid: 0, atime, mtime: { sec: 3, nsec: 4 } });
    expect(it.container('web').mode).toBe(0o1777);
  });

  test('of a control entry is accepted, without effect', async () => {
    using it = await running();
    it.tree.setattr(it.request(), it.id('web/.state'), { mode: 0o600, uid: 5, size: 0 });
    expect(await it.tree.getattr(it.request(), it.id('web/.state'))).toMatchObject({ mode: 0o100644, uid: 0 });
    expect(it.container('web').uid).toBe(0);
  });
});

describe('Tree.poll', () => {
  test('of an ordinary entry never waits', async () => {
    using it = await running();
    expect(it.tree.poll(it.request(), it.id('web/.state'), 2, 0xffff, 7)).toBe(0x145);
    expect(it.tree.poll(it.request(), it.id('web/.state'), 2, 0x1, 7)).toBe(0x1);
  });

  test('of .events wakes with the next event', async () => {
    using it = await running();
    const id = it.id('web/.events');
    const { handle } = await it.tree.open(it.request(), id, O_RDONLY);
    await it.tree.read(it.request(), id, handle, 0, 4096);
    expect(it.tree.poll(it.request(), id, handle, 0x41, 7)).toBe(0);
    await it.write('web/.state', 'frozen');
    expect([it.woken, it.tree.poll(it.request(), id, handle, 0x41, 8)]).toEqual([[7], 0x41]);
  });
});
