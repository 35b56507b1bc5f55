import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { contains, type Container } from '../../../src/container/container.ts';
import { LOCK_WAIT_MS, Locks } from '../../../src/container/locks.ts';
import { registryOf } from '../../support/registry-of.ts';

const { at } = registryOf('a/b/c', 'a/d', 'e');

/** Verbs that go on when they are told, and a record of what began and ended. */
class Verbs {
  readonly locks = new Locks();
  readonly record: string[] = [];
  readonly #go = new Map<string, () => void>();

  begin(on: Container | Container[], name: string): Promise<void> {
    const held = this.locks.hold(on, name, async () => {
      this.record.push(`${name} begins`);
      await new Promise<void>((resolve) => this.#go.set(name, resolve));
      this.record.push(`${name} ends`);
    });
    held.catch((error: unknown) => this.record.push(`${name} fails: ${String(error)}`));
    return held;
  }

  async end(name: string): Promise<void> {
    this.#go.get(name)?.();
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('Locks.hold', () => {
  test('begins at once where nobody works on the line', () => {
    const verbs = new Verbs();
    void verbs.begin(at('a/b'), 'b');
    void verbs.begin(at('a/d'), 'd');
    void verbs.begin(at('e'), 'e');
    expect(verbs.record).toEqual(['b begins', 'd begins', 'e begins']);
  });

  test.each([
    ['itself', 'a/b', 'a/b'],
    ['one above', 'a/b', 'a'],
    ['one far above', 'a/b/c', 'a'],
    ['one below', 'a', 'a/b/c'],
    ['the machine', 'e', ''],
  ])('waits for %s', async (_, first, second) => {
    const verbs = new Verbs();
    void verbs.begin(at(first), 'first');
    void verbs.begin(at(second), 'second');
    expect(verbs.record).toEqual(['first begins']);
    await verbs.end('first');
    expect(verbs.record).toEqual(['first begins', 'first ends', 'second begins']);
  });

  test('goes on in the order of arrival', async () => {
    const verbs = new Verbs();
    for (const name of ['1', '2', '3']) void verbs.begin(at('a'), name);
    for (const name of ['1', '2', '3']) await verbs.end(name);
    expect(verbs.record).toEqual(['1 begins', '1 ends', '2 begins', '2 ends', '3 begins', '3 ends']);
  });

  test('lets nobody by who comes later than one who waits', async () => {
    const verbs = new Verbs();
    void verbs.begin(at('a/b'), 'below');
    void verbs.begin(at('a'), 'above');
    void verbs.begin(at('a/d'), 'beside');
    expect(verbs.record).toEqual(['below begins']);
    await verbs.end('below');
    expect(verbs.record.slice(2)).toEqual(['above begins']);
    await verbs.end('above');
    expect(verbs.record.slice(4)).toEqual(['beside begins']);
  });

  test('lets nobody in between the end of one and the turn of the next', async () => {
    const verbs = new Verbs();
    const first = verbs.begin(at('a'), 'first');
    void verbs.begin(at('a'), 'second');
    void first.then(() => verbs.begin(at('a'), 'late'));
    await verbs.end('first');
    expect(verbs.record).toEqual(['first begins', 'first ends', 'second begins']);
  });

  test('lets several go on at once who do not block each other', async () => {
    const verbs = new Verbs();
    void verbs.begin(at('a'), 'a');
    for (const path of ['a/b', 'a/d']) void verbs.begin(at(path), path);
    await verbs.end('a');
    expect(verbs.record.slice(2)).toEqual(['a/b begins', 'a/d begins']);
  });

  test('of several containers waits for the lines of all, and all wait for it', async () => {
    const verbs = new Verbs();
    void verbs.begin(at('e'), 'e');
    void verbs.begin([at('a/b'), at('e')], 'both');
    void verbs.begin(at('a/b/c'), 'c');
    void verbs.begin(at('a/d'), 'd');
    expect(verbs.record).toEqual(['e begins', 'd begins']);
    await verbs.end('e');
    expect(verbs.record.slice(2)).toEqual(['e ends', 'both begins']);
    await verbs.end('both');
    expect(verbs.record.at(-1)).toBe('c begins');
  });

  test('lets the next go on when one fails, and passes the failure on', async () => {
    const locks = new Locks();
    await expect(locks.hold(at('a'), 'fail', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(locks.hold(at('a'), 'work', () => Promise.resolve(3))).resolves.toBe(3);
  });

  test('waits five seconds and no more: EBUSY says what it waited for', async () => {
    const verbs = new Verbs();
    void verbs.begin(at('a'), 'start "a"');
    const second = verbs.begin(at('a/b'), 'stop "a/b"');
    const refused = expect(second).rejects.toMatchObject({
      errno: 'EBUSY',
      message: expect.stringMatching(/^Cannot stop "a\/b": .*start "a"/) as string,
    });
    await vi.advanceTimersByTimeAsync(LOCK_WAIT_MS - 1);
    expect(verbs.record).toEqual(['start "a" begins']);
    await vi.advanceTimersByTimeAsync(1);
    await refused;
    await verbs.end('start "a"');
    expect(verbs.record.filter((line) => line.startsWith('stop'))).toHaveLength(1);
  });

  test('who gave up waiting holds up nobody', async () => {
    const verbs = new Verbs();
    void verbs.begin(at('a/b'), 'long');
    void verbs.begin(at('a'), 'gives up');
    await vi.advanceTimersByTimeAsync(LOCK_WAIT_MS / 2);
    void verbs.begin(at('a/d'), 'beside');
    await vi.advanceTimersByTimeAsync(LOCK_WAIT_MS / 2);
    expect(verbs.record).toContain('beside begins');
  });

  test('whose turn came keeps it, however long it takes', async () => {
    const verbs = new Verbs();
    void verbs.begin(at('a'), 'first');
    void verbs.begin(at('a'), 'second');
    await verbs.end('first');
    await vi.advanceTimersByTimeAsync(10 * LOCK_WAIT_MS);
    await verbs.end('second');
    expect(verbs.record.at(-1)).toBe('second ends');
  });
});

describe('Locks', () => {
  test('look at what is on the line only, however many wait beside it', async () => {
    const names = Array.from({ length: 1000 }, (_, number) => `n${number}`);
    const tree = registryOf('a', ...names.map((name) => `a/${name}`));
    let looks = 0;
    for (const name of names) {
      const parent = tree.at('a');
      Object.defineProperty(tree.at(`a/${name}`), 'parent', { get: () => (looks++, parent) });
    }
    const verbs = new Verbs();
    void verbs.begin(tree.at('a'), 'a');
    for (const name of names) void verbs.begin(tree.at(`a/${name}`), name);
    await verbs.end('a');
    for (const name of names) void verbs.begin(tree.at(`a/${name}`), `${name} again`);
    for (const name of names) await verbs.end(name);
    expect(verbs.record.filter((line) => line.endsWith('again begins'))).toHaveLength(names.length);
    expect(looks).toBeLessThan(20 * names.length);
  });

  test('who waits in what is moved meanwhile waits for those who work where it is now', async () => {
    const tree = registryOf('a/b/c', 'e');
    const verbs = new Verbs();
    void verbs.begin([tree.at('a/b'), tree.at('a')], 'move');
    void verbs.begin(tree.at('a/b/c'), 'c');
    void verbs.begin(tree.at('e'), 'e');
    const { serial } = tree.at('a/b');
    tree.registry.apply({ op: 'move', serial, parent: tree.at('e').serial, name: 'b', at: { sec: 2, nsec: 0 } });
    await verbs.end('move');
    expect(verbs.record).toEqual(['move begins', 'e begins', 'move ends']);
    await verbs.end('e');
    expect(verbs.record.at(-1)).toBe('c begins');
  });

  test('two on one line never hold at once, and all get their turn', async () => {
    const paths = ['', 'a', 'a/b', 'a/b/c', 'a/d', 'e'];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...paths), { maxLength: 20 }),
        fc.infiniteStream(fc.nat()),
        async (wanted, picks) => {
          const locks = new Locks();
          const holding = new Map<Container, () => void>();
          let done = 0;
          for (const path of wanted) {
            const container = at(path);
            const body = async () => {
              for (const other of holding.keys()) {
                expect(contains(other, container) || contains(container, other)).toBe(false);
              }
              await new Promise<void>((resolve) => holding.set(container, resolve));
              holding.delete(container);
              done += 1;
            };
            void locks.hold(container, 'work', body);
          }
          for (let turn = 0; turn < wanted.length; turn++) {
            const now = [...holding.values()];
            now[picks.next().value! % now.length]!();
            await settled();
          }
          expect([done, holding.size]).toEqual([wanted.length, 0]);
        },
      ),
      { numRuns: 100 },
    );
  });
});
