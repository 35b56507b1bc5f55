/** What somebody has open when its name is gone, or its container. */
import { constants } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hide } from '../../../src/container/hiding.ts';
import type { Serial } from '../../../src/ids.ts';
import { fastTree } from '../../../src/tree/fast-tree.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, type Attr, type Opened } from '../../../src/tree/filesystem.ts';
import { View } from '../../../src/tree/view.ts';
import { errnoOf, FakeTree } from '../../support/fake-tree.ts';

const { O_RDONLY } = constants;

async function running(): Promise<FakeTree> {
  const it = new FakeTree();
  it.mkdir('web');
  await it.write('web/.state', 'running');
  it.spawn(it.container('web'));
  return it;
}

async function removed(it: FakeTree): Promise<void> {
  hide(it.container('web'), -1, Date.now());
  await it.rmdir('web');
}

describe('of a container that was removed', () => {
  test.each([
    ['', S_IFDIR],
    ['/.ns', S_IFDIR],
    ['/.state', S_IFREG],
    ['/.init', S_IFLNK],
  ])('web%s keeps its type, and has no name', async (name, type) => {
    using it = await running();
    const id = it.id(`web${name}`);
    await removed(it);
    const attr = await it.tree.getattr(it.request(), id);
    expect([attr.mode & S_IFMT, attr.nlink]).toEqual([type, 0]);
  });

  test('.events tells who has it open of the end, and wakes who waits for it', async () => {
    using it = await running();
    const id = it.id('web/.events');
    const { handle } = await it.tree.open(it.request(), id, O_RDONLY);
    const before = await it.tree.read(it.request(), id, handle, 0, 4096);
    expect(it.tree.poll(it.request(), id, handle, constants.O_RDONLY | 1, 7)).toBe(0);
    await removed(it);
    expect(it.woken).toContain(7);
    expect(it.tree.poll(it.request(), id, handle, 1, undefined)).toBe(1);
    const rest = await it.tree.read(it.request(), id, handle, before.length, 4096);
    expect(Buffer.from(rest).toString()).toMatch(/\tkilled\t\.\n.*\tremoved\t\.\n$/);
    const { size } = await it.tree.getattr(it.request(), id);
    expect(size).toBe(before.length + rest.length);
  });

  test('.procs is read to its end', async () => {
    using it = await running();
    const id = it.id('web/.procs');
    const { handle } = await it.tree.open(it.request(), id, O_RDONLY);
    const text = await it.tree.read(it.request(), id, handle, 0, 4096);
    await removed(it);
    expect(await it.tree.read(it.request(), id, handle, 0, 4096)).toEqual(text);
    expect(it.tree.poll(it.request(), id, handle, 1, undefined)).toBe(1);
    it.tree.release(it.request(), id, handle);
    expect(await errnoOf(() => it.tree.read(it.request(), id, handle, 0, 4096))).toBe('ENOENT');
  });
});

describe('of an entry that was unlinked', () => {
  test('the main thread tells attributes without a name, until it is closed', async () => {
    using it = await running();
    const id = it.id('web/.procs');
    const { handle } = await it.tree.open(it.request(), id, O_RDONLY);
    it.unlink('web/.procs');
    expect(await it.tree.getattr(it.request(), id)).toMatchObject({ id, nlink: 0 });
    it.tree.release(it.request(), id, handle);
    expect(await errnoOf(() => it.tree.getattr(it.request(), id))).toBe('ESTALE');
  });

  test('so does the serving thread, which leaves it to the other one when it is closed', async () => {
    using it = await running();
    const { registry } = it.store;
    const { serial } = it.container('web');
    registry.apply({ op: 'error', serial, text: 'EBUSY', at: { sec: 1, nsec: 0 } });
    const fast = fastTree({
      view: new View(registry),
      places: { cgroupOf: it.cgroupOf },
      firstHandle: 1,
      onHidden: (_: Serial) => undefined,
    });
    const id = it.id('web/.error');
    const { handle } = fast.open!(it.request(), id, O_RDONLY) as Opened;
    registry.apply({ op: 'clear', serial, what: 'error' });
    const attr = fast.getattr!(it.request(), id) as Attr;
    expect([attr.id, attr.nlink]).toEqual([id, 0]);
    expect(Buffer.from(fast.read!(it.request(), id, handle, 0, 99) as Uint8Array).toString()).toBe('EBUSY\n');
    fast.release!(it.request(), id, handle);
    expect(typeof fast.getattr!(it.request(), id)).toBe('symbol');
  });
});
