import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Journal, parseJournal } from '../../../src/journal/journal.ts';
import { scratch } from '../../support/scratch.ts';

const entry = fc.oneof(
  fc.record({ op: fc.string({ unit: 'grapheme' }), n: fc.nat() }),
  fc.array(fc.nat()),
  fc.string(),
);
const entries = fc.array(entry, { minLength: 1, maxLength: 6 });

/** The journal's bytes, and where each entry ends. */
function written(values: readonly unknown[]): { bytes: Buffer; ends: number[] } {
  using dir = scratch();
  const { journal } = Journal.open(dir.at('j'));
  const ends = values.map((value) => {
    journal.append(value);
    return journal.bytes;
  });
  journal.close();
  return { bytes: readFileSync(dir.at('j')), ends };
}

/** JSON has one way to say what `fc` may give in two, -0 for one. */
const asRead = (values: readonly unknown[]) => JSON.parse(JSON.stringify(values)) as unknown[];

describe('parseJournal', () => {
  test('reads, of a file torn at any byte, the entries that are whole', () => {
    fc.assert(
      fc.property(entries, (values) => {
        const { bytes, ends } = written(values);
        for (let length = 0; length <= bytes.length; length++) {
          const whole = ends.filter((end) => end <= length);
          expect(parseJournal(bytes.subarray(0, length))).toEqual({
            entries: asRead(values).slice(0, whole.length),
            goodBytes: whole.at(-1) ?? 0,
            totalBytes: length,
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  test('reads nothing from a damaged byte on', () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.integer({ min: 1, max: 255 }), (values, where, flip) => {
        const { bytes, ends } = written(values);
        const at = where % bytes.length;
        bytes[at]! ^= flip;
        const whole = ends.filter((end) => end <= at).length;
        expect(parseJournal(bytes).entries).toEqual(asRead(values).slice(0, whole));
      }),
      { numRuns: 100 },
    );
  });

  test('takes a file of noise for an empty one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        expect(parseJournal(Buffer.from(noise))).toMatchObject({ entries: [], goodBytes: 0 });
      }),
    );
  });

  test('takes a line of zeros, the checksum of nothing, for a tear', () => {
    expect(parseJournal(Buffer.from('00000000 \n'))).toMatchObject({ entries: [], goodBytes: 0 });
  });
});

describe('Journal.open', () => {
  test('goes on after a tear at any byte', () => {
    using dir = scratch();
    const { bytes, ends } = written([{ a: 1 }, { b: 'ü' }, { c: [] }]);
    for (let length = 0; length <= bytes.length; length++) {
      writeFileSync(dir.at('torn'), bytes.subarray(0, length));
      const { journal, entries: read } = Journal.open(dir.at('torn'));
      expect(read).toHaveLength(ends.filter((end) => end <= length).length);
      journal.append('next');
      journal.close();
      const again = Journal.open(dir.at('torn'));
      again.journal.close();
      expect(again.entries).toEqual([...read, 'next']);
    }
  });
});
