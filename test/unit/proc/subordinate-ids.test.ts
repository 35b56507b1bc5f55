import { Volume } from 'memfs';
import { expect, it } from 'vitest';
import type { FileAccess } from '../../../src/files.ts';
import { subordinateIds } from '../../../src/proc/subordinate-ids.ts';

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
  expect(rangesIn('alice:x:1\nalice:1\nalice:5:0\n# alice:1:1\n')).toEqual([]);
  expect(subordinateIds(new Volume() as unknown as FileAccess, '/etc/subgid', alice)).toEqual([]);
});
