import { describe, expect, it } from 'vitest';
import { inodeNumber, serialOfInode } from '../../../../mount/native/inode.ts';
import { serial } from '../../../../src/ids.ts';
import { CONTROL_ENTRIES, NS_ENTRIES } from '../../../../src/tree/control/table.ts';
import { directoryId, nodeId, ROOT_ID } from '../../../../src/tree/node-id.ts';

describe('inodeNumber', () => {
  it('is 1 for the root, as of every FUSE file system', () => {
    expect(inodeNumber(ROOT_ID)).toBe(1);
  });

  it('is another one for each directory and control entry, and fits 32 bits', () => {
    const serials = [0, 1, 2, 255, 256, 257, 65_536, 2 ** 26 - 1].map(serial);
    const entries = [1, ...[...CONTROL_ENTRIES, ...NS_ENTRIES].map(({ entry }) => entry)];
    const numbers = serials.flatMap((number) => entries.map((entry) => inodeNumber(nodeId(number, entry))));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.every((number) => number > 0 && number < 2 ** 31)).toBe(true);
  });

  it('is never that of a directory for what is in .proxy and .checkpoint', () => {
    for (const entry of [32, 2 ** 16, 2 ** 24 - 1]) {
      for (const number of [1, 65_536, 2 ** 28].map(serial)) {
        expect(inodeNumber(nodeId(number, entry))).toBeGreaterThanOrEqual(2 ** 31);
        expect(inodeNumber(nodeId(number, entry))).toBeLessThan(2 ** 32);
      }
    }
  });

  it('is beyond those of directories for containers of numbers that do not fit', () => {
    for (const number of [2 ** 26, 2 ** 28, 2 ** 29 - 1].map(serial)) {
      expect(inodeNumber(directoryId(number))).toBeGreaterThanOrEqual(2 ** 31);
      expect(inodeNumber(directoryId(number))).toBeLessThan(2 ** 32);
    }
  });

  it('tells the number of a container', () => {
    for (const number of [0, 1, 257, 1_000_000].map(serial)) {
      expect(serialOfInode(inodeNumber(directoryId(number)))).toBe(number);
    }
  });
});
