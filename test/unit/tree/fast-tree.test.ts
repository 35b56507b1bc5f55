import { constants } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ns } from '../../../src/tree/control/ns.ts';
import { nsproxy } from '../../../src/tree/control/nsproxy.ts';
import { entriesOf } from '../../../src/tree/control/table.ts';
import { DEFER, S_IFLNK, S_IFMT, type Created, type Filesystem, type Opened } from '../../../src/tree/filesystem.ts';
import { histories } from '../../support/histories.ts';
import { outcome, unlinked, World } from '../../support/two-trees.ts';

/** Fails if the fast tree answers, and other than the tree. Whether it answered. */
async function agree(world: World, ask: (tree: Pick<Filesystem, keyof Filesystem>) => unknown): Promise<boolean> {
  const fast = await outcome(() => ask(world.fast as Filesystem));
  if (fast === DEFER) return false;
  expect(fast).toEqual(await outcome(() => ask(world.tree)));
  return true;
}

/** Flags of a shell's `>`. */
const WRITING = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;

const NAMES = [...entriesOf(undefined), ...entriesOf(ns)].map(({ name }) => name);
const worlds = fc.tuple(histories, unlinked);

describe('fastTree', () => {
  test('answers lookup, readdir and statfs as the tree does, but for what linkers alone find', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([steps, hidden]) => {
        using world = new World(steps, hidden);
        const request = world.request();
        for (const id of world.directories()) {
          for (const name of [...NAMES, 'a', 'web', 'nothing', '', 'x'.repeat(256)]) {
            const isThere = 'attr' in ((await outcome(() => world.tree.lookup(request, id, name))) as object);
            const isOfLinkers = name === nsproxy.name && !isThere;
            expect((await agree(world, (tree) => tree.lookup(request, id, name))) || isOfLinkers).toBe(true);
          }
          for (const cookie of [0, 17, 20, 2 ** 40]) {
            expect(await agree(world, (tree) => tree.readdir(request, id, cookie))).toBe(true);
          }
          expect(await agree(world, (tree) => tree.statfs(request, id))).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('answers getattr and readlink as the tree does, or leaves them to it', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([steps, hidden]) => {
        using world = new World(steps, hidden);
        const request = world.request();
        for (const id of world.ids()) {
          await agree(world, (tree) => tree.getattr(request, id));
          const node = await outcome(() => world.tree.getattr(request, id));
          const isLink = (((node as { mode?: number }).mode ?? 0) & S_IFMT) === S_IFLNK;
          if (isLink) await agree(world, (tree) => tree.readlink(request, id));
        }
      }),
      { numRuns: 20 },
    );
  });

  test('gives the text that the tree gives', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([steps, hidden]) => {
        using world = new World(steps, hidden);
        const request = world.request();
        for (const id of world.ids().filter((id) => id % 2 ** 24 !== 1)) {
          const opened = await outcome(() => world.fast.open!(request, id, constants.O_RDONLY));
          if (opened === DEFER || 'errno' in (opened as object)) continue;
          const fast = opened as Opened;
          const slow = await world.tree.open(request, id, constants.O_RDONLY);
          expect([fast.noFlush, fast.handle % 2, slow.handle % 2]).toEqual([slow.noFlush, 1, 0]);
          for (const [offset, size] of [
            [0, 4096],
            [0, 3],
            [3, 2],
            [1000, 10],
          ] as const) {
            const bytes = world.fast.read!(request, id, fast.handle, offset, size);
            expect(Buffer.from(bytes as Uint8Array)).toEqual(
              Buffer.from(await world.tree.read(request, id, slow.handle, offset, size)),
            );
          }
          expect(world.fast.release!(request, id, fast.handle)).toBeUndefined();
          expect(world.fast.read!(request, id, fast.handle, 0, 10)).toBe(DEFER);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('opens for writing as the tree does, or leaves it to it', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([steps, hidden]) => {
        using world = new World(steps, hidden);
        const request = world.request();
        for (const directory of world.directories()) {
          for (const name of [...NAMES, 'web', 'nothing', '']) {
            const before = world.seen();
            const fast = await outcome(() => world.fast.create!(request, directory, name, 0o644, WRITING));
            if (fast === DEFER || 'errno' in (fast as object)) continue;
            const { handle, ...answer } = fast as Created;
            const slow = await world.tree.create(request, directory, name, 0o644, WRITING);
            expect({ ...slow, handle: 0 }).toEqual({ ...answer, handle: 0 });
            const { id } = answer.entry.attr;
            expect((await agree(world, (tree) => tree.getattr(request, id))) || NAMES.includes(name)).toBe(true);
            world.tree.release(request, id, slow.handle);
            expect([world.fast.release!(request, id, handle), world.seen()]).toEqual([undefined, before]);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  test.each(['unlink', 'rmdir'] as const)(
    '%s has the answer and the effect it has in the tree, or none',
    async (op) => {
      await fc.assert(
        fc.asyncProperty(worlds, fc.nat(), fc.nat(), async ([steps, hidden], which, entry) => {
          using served = new World(steps, hidden);
          using alone = new World(steps, hidden);
          const directories = served.directories().filter((id) => served.names(id).length > 0);
          const id = directories[which % directories.length]!;
          const names = served.names(id);
          const name = names[entry % names.length]!;
          const before = served.seen();
          const fast = await outcome(() => served.fast[op]!(served.request(), id, name));
          if (fast === DEFER) {
            expect(served.seen()).toEqual(before);
            return;
          }
          expect(fast).toEqual(await outcome(() => alone.tree[op](alone.request(), id, name)));
          expect(served.seen()).toEqual(alone.seen());
        }),
        { numRuns: 100 },
      );
    },
  );
});
