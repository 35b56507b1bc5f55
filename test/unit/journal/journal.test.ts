import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Journal } from '../../../src/journal/journal.ts';
import { scratch } from '../../support/scratch.ts';

/** What a daemon that starts now would read. */
function reread(file: string): unknown[] {
  const { journal, entries } = Journal.open(file);
  journal.close();
  return entries;
}

describe('Journal.open', () => {
  test('makes a file only its owner may read, and it is empty', () => {
    using dir = scratch();
    const { journal, entries, tornBytes } = Journal.open(dir.at('j'));
    journal.close();
    expect([entries, tornBytes, journal.bytes]).toEqual([[], 0, 0]);
    expect(statSync(dir.at('j')).mode & 0o777).toBe(0o600);
  });

  test('returns what was appended, in that order, whatever characters are in it', () => {
    using dir = scratch();
    const written = [{ name: 'web' }, { name: 'jöb\n\u2028\u{1f680}' }, [1, null, ''], { nested: { deep: [true] } }];
    const { journal } = Journal.open(dir.at('j'));
    for (const entry of written) journal.append(entry);
    journal.close();
    expect(reread(dir.at('j'))).toEqual(written);
    expect(journal.bytes).toBe(statSync(dir.at('j')).size);
  });

  test('cuts a tear off, so that what is appended then is read', () => {
    using dir = scratch();
    const first = Journal.open(dir.at('j')).journal;
    first.append('whole');
    first.close();
    appendFileSync(dir.at('j'), '0badc0de "torn');
    const { journal, entries, tornBytes } = Journal.open(dir.at('j'));
    expect([entries, tornBytes]).toEqual([['whole'], 14]);
    journal.append('after');
    journal.close();
    expect(reread(dir.at('j'))).toEqual(['whole', 'after']);
  });
});

describe('Journal.rewrite', () => {
  test('puts the entries in the place of all that was there', () => {
    using dir = scratch();
    const { journal } = Journal.open(dir.at('j'));
    for (let i = 0; i < 100; i++) journal.append({ i });
    journal.rewrite(['a', 'b']);
    expect(journal.bytes).toBe(statSync(dir.at('j')).size);
    journal.append('c');
    journal.close();
    expect(reread(dir.at('j'))).toEqual(['a', 'b', 'c']);
    expect(statSync(dir.at('j')).mode & 0o777).toBe(0o600);
    expect(existsSync(dir.at('j.new'))).toBe(false);
  });

  test('leaves the file as it was when making the entries fails, and goes on', () => {
    using dir = scratch();
    const { journal } = Journal.open(dir.at('j'));
    journal.append('old');
    const before = readFileSync(dir.at('j'), 'utf8');
    const failing = function* () {
      yield 'new';
      throw new Error('no more');
    };
    expect(() => {
      journal.rewrite(failing());
    }).toThrow('no more');
    expect(readFileSync(dir.at('j'), 'utf8')).toBe(before);
    expect(existsSync(dir.at('j.new'))).toBe(false);
    journal.append('next');
    journal.close();
    expect(reread(dir.at('j'))).toEqual(['old', 'next']);
  });
});
