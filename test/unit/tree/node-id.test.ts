import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ROOT_SERIAL, type Serial } from '../../../src/ids.ts';
import { CONTROL_ENTRIES, entryNumbered, NS_ENTRIES } from '../../../src/tree/control/table.ts';
import { DIRECTORY_ENTRY, directoryId, entryOf, nodeId, ROOT_ID, serialOf } from '../../../src/tree/node-id.ts';

/** Up to here ids fit 53 bits. */
const SERIAL_MAX = 2 ** 29 - 1;
const ENTRY_MAX = 2 ** 24 - 1;

describe('nodeId', () => {
  test('gives back serial and entry', () => {
    fc.assert(
      fc.property(fc.nat(SERIAL_MAX), fc.nat(ENTRY_MAX), (serial, entry) => {
        const id = nodeId(serial as Serial, entry);
        expect([serialOf(id), entryOf(id), Number.isSafeInteger(id)]).toEqual([serial, entry, true]);
      }),
    );
  });

  test('gives back the largest of both', () => {
    const id = nodeId(SERIAL_MAX as Serial, ENTRY_MAX);
    expect([serialOf(id), entryOf(id), id]).toEqual([SERIAL_MAX, ENTRY_MAX, Number.MAX_SAFE_INTEGER]);
  });

  test('the root is FUSE_ROOT_ID, and nothing is 0', () => {
    expect([directoryId(ROOT_SERIAL), ROOT_ID, DIRECTORY_ENTRY]).toEqual([1, 1, 1]);
  });
});

describe('entryNumbered', () => {
  const rows = [...CONTROL_ENTRIES, ...NS_ENTRIES];

  test('every entry has a number of its own, which is a bit of `hidden` and not the directory', () => {
    expect(new Set(rows.map(({ entry }) => entry)).size).toBe(rows.length);
    for (const row of rows) {
      expect(entryNumbered(row.entry)).toBe(row);
      expect(row.entry > DIRECTORY_ENTRY && row.entry <= 30).toBe(true);
    }
  });

  test('a number once given never means another name', () => {
    expect(Object.fromEntries(rows.map(({ entry, name }) => [entry, name]))).toMatchObject({
      ...{ 2: '.state', 3: '.init', 4: '.nsproxy', 5: '.ns', 6: '.procs', 7: '.stat', 8: '.signal', 9: '.events' },
      ...{
        10: '.exit',
        11: '.error',
        13: '.cgroup',
        14: '.checkpoint',
        16: '.self',
        20: 'mnt',
        21: 'uts',
        22: 'ipc',
        23: 'net',
      },
      ...{ 24: 'pid', 25: 'user', 26: 'cgroup', 27: 'time' },
    });
  });
});
