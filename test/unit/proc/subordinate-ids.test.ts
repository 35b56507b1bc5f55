import { Volume } from 'memfs';
import { describe, expect, it } from 'vitest';
import type { FileAccess } from '../../../src/files.ts';
import { idMap, subordinateIds } from '../../../src/proc/subordinate-ids.ts';

const alice = { name: 'alice', uid: 1001 };
const rangesIn = (text: string) =>
  subordinateIds(Volume.fromJSON({ '/etc/subuid': text }) as unknown as FileAccess, '/etc/subuid', alice);

it("finds a user's ranges by name and by number, in the order of the file", () => {
  expect(rangesIn('bob:100000:65536\nalice:165536:65536\n1001:300000:10\n')).toEqual([
    { first: 165_536, count: 65_536 },
    { first: 300_000, count: 10 },
  ]);
});

it('passes over what is no range, and a file that is not there', () => {
  expect(rangesIn('alice:x:1\nalice:1\nalice:5:0\nalice:5:-1\nalice:5:1.5\n# alice:1:1\n')).toEqual([]);
  expect(subordinateIds(new Volume() as unknown as FileAccess, '/etc/subgid', alice)).toEqual([]);
});

describe('idMap', () => {
  const mapOf = (text: string, own = 1001) =>
    idMap(Volume.fromJSON({ '/etc/subuid': text }) as unknown as FileAccess, '/etc/subuid', alice, own);

  it.each([
    ['before it', '1002:10'],
    ['behind it', '991:10'],
    ['up to the last id there is', '4294967285:10'],
  ])('has a range that begins or ends right beside his own id, or %s', (_, range) => {
    expect(mapOf(`alice:${range}\n`)).toBe(`0 1001 1\n1 ${range.replace(':', ' ')}\n`);
  });

  it.each([
    ['begins with his own id', '1001:10'],
    ['ends with his own id', '992:10'],
    ['begins below 0', '-5:10'],
    ['goes beyond the last id', '4294967286:10'],
  ])('passes over a range that %s, and takes the next one', (_, range) => {
    expect(mapOf(`alice:${range}\nalice:5000:7\n`)).toBe('0 1001 1\n1 5000 7\n');
    expect(mapOf(`alice:${range}\n`)).toBe('0 1001 1\n');
  });
});
