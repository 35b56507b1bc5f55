import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type * as fs from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Change, Commit } from '../../../src/container/change.ts';
import { Store } from '../../../src/container/store.ts';
import { ROOT_SERIAL, type Serial } from '../../../src/ids.ts';
import { Journal } from '../../../src/journal/journal.ts';
import { look } from '../../support/histories.ts';
import { scratch } from '../../support/scratch.ts';

/** With `full` nothing more can be written. */
const disk = vi.hoisted(() => ({ full: false }));

vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof fs>();
  const writeSync = (...args: Parameters<typeof fs.writeSync>): number => {
    if (disk.full) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    return real.writeSync(...args);
  };
  return { ...real, writeSync };
});

beforeEach(() => {
  disk.full = false;
});

function open(file: string): Store {
  const { journal, entries } = Journal.open<Commit>(file);
  return new Store(journal, entries);
}

const at = { sec: 1, nsec: 0 };
const make = (serial: number, name: string): Change => ({
  ...{ op: 'make', serial: serial as Serial, parent: ROOT_SERIAL, name, mode: 0o755, uid: 0, gid: 0, at },
});

describe('Store.commit', () => {
  test('is known to the next daemon', () => {
    using dir = scratch();
    const store = open(dir.at('j'));
    store.commit([make(1, 'web'), make(2, 'db')]);
    store.commit([{ op: 'drop', serial: 1 as Serial, at }]);
    expect(look(open(dir.at('j')).registry)).toEqual(look(store.registry));
  });

  test('tells who listens, once it is done', () => {
    using dir = scratch();
    const store = open(dir.at('j'));
    const heard: unknown[] = [];
    store.onCommit((changes) => heard.push([changes, store.registry.size]));
    const changes = [make(1, 'web')];
    store.commit(changes);
    expect(heard).toEqual([[changes, 2]]);
  });

  test('changes nothing and tells nobody where the journal has no room', () => {
    using dir = scratch();
    const store = open(dir.at('j'));
    const heard: unknown[] = [];
    store.onCommit((changes) => heard.push(changes));
    disk.full = true;
    expect(() => {
      store.commit([make(1, 'web')], 7);
    }).toThrow(expect.objectContaining({ errno: 'ENOSPC' }));
    expect([store.registry.size, heard, store.wasDone(7)]).toEqual([1, [], false]);
    disk.full = false;
    expect(open(dir.at('j')).registry.size).toBe(1);
  });

  test('is whole or not there at all when the journal was torn', () => {
    using dir = scratch();
    const store = open(dir.at('j'));
    store.commit([make(1, 'web'), make(2, 'db')], 7);
    const bytes = readFileSync(dir.at('j'));
    const before = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
    for (let length = before; length < bytes.length; length++) {
      writeFileSync(dir.at('torn'), bytes.subarray(0, length));
      const torn = open(dir.at('torn'));
      expect([torn.registry.size, torn.wasDone(7)]).toEqual([1, false]);
    }
  });
});

describe('Store.wasDone', () => {
  test('knows the requests that were carried out, by former daemons too', () => {
    using dir = scratch();
    const store = open(dir.at('j'));
    store.commit([make(1, 'web')], 7);
    store.commit([], 8);
    store.commit([make(2, 'db')]);
    for (const known of [store, open(dir.at('j')), open(dir.at('j'))]) {
      expect([7, 8, 9].map((unique) => known.wasDone(unique))).toEqual([true, true, false]);
    }
  });

  test('forgets the oldest of very many', () => {
    using dir = scratch();
    const store = open(dir.at('j'));
    for (let unique = 1; unique <= 8193; unique++) store.commit([], unique);
    expect([1, 2, 8193].map((unique) => store.wasDone(unique))).toEqual([false, true, true]);
  });

  test('knows nothing after forgetDone, nor does the next daemon', () => {
    using dir = scratch();
    const store = open(dir.at('j'));
    store.commit([make(1, 'web')], 7);
    store.forgetDone();
    expect([store.wasDone(7), open(dir.at('j')).wasDone(7)]).toEqual([false, false]);
    expect(store.registry.size).toBe(2);
  });
});

describe('Store', () => {
  /** Makes history: a container that is renamed until its journal must have been rewritten. */
  function renameOften(store: Store, times: number): void {
    const name = 'x'.repeat(250);
    for (let i = 0; i < times; i++) {
      store.commit([{ op: 'move', serial: 1 as Serial, parent: ROOT_SERIAL, name: `${name}${i % 10}`, at }]);
    }
  }

  test('does not let the journal grow with history', () => {
    using dir = scratch();
    const store = open(dir.at('j'));
    store.commit([make(1, 'web')], 7);
    renameOften(store, 10_000);
    expect(statSync(dir.at('j')).size).toBeLessThan(2 << 20);
    expect(look(open(dir.at('j')).registry)).toEqual(look(store.registry));
    expect(open(dir.at('j')).wasDone(7)).toBe(true);
  });

  test('opens where there is no room to rewrite the journal, with all that is in it', () => {
    using dir = scratch();
    open(dir.at('j')).commit([make(1, 'web')], 7);
    disk.full = true;
    const store = open(dir.at('j'));
    expect([store.registry.size, store.wasDone(7)]).toEqual([2, true]);
  });
});
