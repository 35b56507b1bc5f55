import { constants } from 'node:fs';
import { expect, test } from 'vitest';
import { CheckpointTree } from '../../../src/tree/checkpoint-tree.ts';
import { FakeTree } from '../../support/fake-tree.ts';

const { O_CREAT, O_TRUNC, O_WRONLY } = constants;

/** `web`, in which images begin to arrive, and what writes to a name there. */
async function arriving() {
  const it = new FakeTree();
  it.mkdir('web');
  const tree = new CheckpointTree(it.tree, it, 100);
  const request = it.request({ pid: it.spawn('/sys/fs/cgroup/shell') });
  const images = (await tree.mkdir(request, it.id('web'), '.checkpoint', 0o700)).attr.id;
  const make = async (parent: typeof images, name: string, text: string) => {
    const { handle, entry } = await tree.create(request, parent, name, 0o600, O_WRONLY | O_CREAT);
    await tree.write(request, entry.attr.id, handle, 0, Buffer.from(text));
    return entry.attr.id;
  };
  const sizeOf = async (id: typeof images) => (await tree.getattr(request, id)).size;
  return { it, tree, request, images, make, sizeOf };
}

test.each(['an image', 'a name that means nothing'])('O_TRUNC empties %s that is opened', async (kind) => {
  const { it, tree, request, images, make, sizeOf } = await arriving();
  using _machine = it;
  const id = kind === 'an image' ? await make(images, 'core-1.img', 'text') : await make(it.id('web'), '.stat', 'text');
  expect(await sizeOf(id)).toBe(4);
  await tree.open(request, id, O_WRONLY);
  expect(await sizeOf(id)).toBe(4);
  await tree.open(request, id, O_WRONLY | O_TRUNC);
  expect(await sizeOf(id)).toBe(0);
});

test.each(['core-1.img', '.stat'])('O_TRUNC empties %s that is created though it is there', async (name) => {
  const { it, tree, request, images, make, sizeOf } = await arriving();
  using _machine = it;
  const parent = name === '.stat' ? it.id('web') : images;
  const id = await make(parent, name, 'text');
  await tree.create(request, parent, name, 0o600, O_WRONLY | O_CREAT | O_TRUNC);
  expect(await sizeOf(id)).toBe(0);
});
