import { existsSync, readFileSync } from 'node:fs';
import type * as fs from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Journal } from '../../../src/journal/journal.ts';
import { scratch } from '../../support/scratch.ts';

/** A file system with so much room: write(2) takes what fits, and is refused when nothing does. */
const disk = vi.hoisted(() => ({ roomBytes: Infinity }));

vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof fs>();
  const writeSync = (fd: number, data: string | Buffer, offset = 0): number => {
    const bytes = Buffer.from(data as string).subarray(offset);
    const taken = bytes.subarray(0, disk.roomBytes);
    if (taken.length === 0) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    disk.roomBytes -= taken.length;
    return real.writeSync(fd, taken);
  };
  return { ...real, writeSync };
});

beforeEach(() => {
  disk.roomBytes = Infinity;
});

describe('Journal.append', () => {
  test('ENOSPC leaves the file as it was, wherever in the line the room ends', () => {
    using dir = scratch();
    const { journal } = Journal.open(dir.at('j'));
    journal.append({ kept: true });
    const before = readFileSync(dir.at('j'), 'utf8');
    const line = `xxxxxxxx ${JSON.stringify({ lost: true })}\n`;
    for (let room = 0; room < line.length; room++) {
      disk.roomBytes = room;
      expect(() => {
        journal.append({ lost: true });
      }).toThrow(expect.objectContaining({ errno: 'ENOSPC', message: expect.stringContaining('make room') as string }));
      expect(readFileSync(dir.at('j'), 'utf8')).toBe(before);
      expect(journal.bytes).toBe(before.length);
    }
    disk.roomBytes = Infinity;
    journal.append({ lost: false });
    journal.close();
    expect(Journal.open(dir.at('j')).entries).toEqual([{ kept: true }, { lost: false }]);
  });
});

describe('Journal.rewrite', () => {
  test('ENOSPC leaves the file as it was, wherever the room ends', () => {
    using dir = scratch();
    const { journal } = Journal.open(dir.at('j'));
    for (const entry of ['a', 'b', 'c']) journal.append(entry);
    const before = readFileSync(dir.at('j'), 'utf8');
    const next = ['d', 'eee'];
    const nextBytes = next.reduce((sum, entry) => sum + 9 + JSON.stringify(entry).length + 1, 0);
    for (let room = 0; room < nextBytes; room++) {
      disk.roomBytes = room;
      expect(() => {
        journal.rewrite(next);
      }).toThrow(expect.objectContaining({ errno: 'ENOSPC' }));
      expect(readFileSync(dir.at('j'), 'utf8')).toBe(before);
      expect(existsSync(dir.at('j.new'))).toBe(false);
    }
    disk.roomBytes = Infinity;
    journal.append('after');
    journal.close();
    expect(Journal.open(dir.at('j')).entries).toEqual(['a', 'b', 'c', 'after']);
  });
});
