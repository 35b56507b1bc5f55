import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/container/change.ts';
import { subtree } from '../../../src/container/container.ts';
import { Registry } from '../../../src/container/registry.ts';
import { allOf, histories, look, play } from '../../support/histories.ts';

function replay(changes: Iterable<Change>): Registry {
  const registry = new Registry({ sec: 7, nsec: 7 });
  for (const change of changes) registry.apply(change);
  return registry;
}

describe('Registry.snapshot', () => {
  test('makes an equal registry out of an empty one', () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const { registry } = play(steps);
        expect(look(replay(registry.snapshot()))).toEqual(look(registry));
      }),
      { numRuns: 300 },
    );
  });

  test('makes an equal registry after it was written to the journal and read', () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const { registry } = play(steps);
        const read = JSON.parse(JSON.stringify([...registry.snapshot()])) as Change[];
        expect(look(replay(read))).toEqual(look(registry));
      }),
      { numRuns: 100 },
    );
  });
});

describe('Registry.apply', () => {
  test('makes the replica equal to the original, from the start or from a snapshot in between', () => {
    fc.assert(
      fc.property(histories, fc.nat(), (steps, where) => {
        const { registry, changes } = play(steps);
        const cut = where % (changes.length + 1);
        const posted = structuredClone(changes);
        const early = replay(posted.slice(0, cut));
        const late = replay([...early.snapshot(), ...posted.slice(cut)]);
        // The root of an empty registry is as old as its thread.
        const { atime, mtime, ctime, changed } = registry.root;
        for (const { root } of [early, late]) Object.assign(root, { atime, mtime, ctime, changed });
        expect(look(late)).toEqual(look(registry));
      }),
      { numRuns: 200 },
    );
  });

  test('finds by serial exactly what is in the tree, each under its parent and name', () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const { registry } = play(steps);
        const inTree = [...subtree(registry.root)];
        expect(registry.size).toBe(inTree.length);
        expect(new Set(allOf(registry))).toEqual(new Set(inTree));
        for (const container of inTree) {
          expect(container.serial).toBeLessThan(registry.nextSerial);
          if (container.parent) expect(container.parent.children.get(container.name)).toBe(container);
        }
      }),
      { numRuns: 200 },
    );
  });
});
