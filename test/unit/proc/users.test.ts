import { Volume } from 'memfs';
import { describe, expect, test } from 'vitest';
import type { FileAccess } from '../../../src/files.ts';
import type { Pid } from '../../../src/ids.ts';
import { accountsIn } from '../../../src/proc/accounts.ts';
import { isMapped, rootOf } from '../../../src/proc/id-map.ts';
import { idMap } from '../../../src/proc/subordinate-ids.ts';
import { userOf } from '../../../src/proc/users.ts';

const filesOf = (files: Record<string, string>) => Volume.fromJSON(files) as unknown as FileAccess;
const NOBODY = 54_321;

describe('userOf', () => {
  test('reads passwd, and asks getent for who is not in it', async () => {
    const files = filesOf({ '/etc/passwd': 'alice:x:1001:50:A:/home/alice:/bin/sh\nbroken:x:7\n' });
    expect(await userOf(files, 1001)).toEqual({ name: 'alice', uid: 1001, gid: 50 });
    expect(await userOf(filesOf({}), 0)).toEqual({ name: 'root', uid: 0, gid: 0 });
    expect(await userOf(files, NOBODY)).toBeUndefined();
  });
});

describe('idMap', () => {
  const alice = { name: 'alice', uid: 1001 };
  const map = (text: string) => idMap(filesOf({ '/etc/subuid': text }), '/etc/subuid', alice, alice.uid);

  test.each([
    ['the first range', 'bob:5:5\nalice:100000:10\nalice:200000:10\n', '0 1001 1\n1 100000 10\n'],
    ['one that her own id is not in', 'alice:1000:10\n1001:200000:10\n', '0 1001 1\n1 200000 10\n'],
    ['one that ends where ids end', 'alice:4294967290:6\nalice:300000:1\n', '0 1001 1\n1 300000 1\n'],
    ['no other’s', 'bob:100000:10\n', '0 1001 1\n'],
  ])('maps herself to 0, and %s', (_, text, expected) => {
    expect(map(text)).toBe(expected);
  });
});

describe('accountsIn', () => {
  const accountOf = accountsIn(
    filesOf({
      '/etc/passwd': 'alice:x:1001:1001::/:\nbob:x:100003:1002::/:\n',
      '/etc/subuid': 'alice:100000:65536\n1002:300000:10\ngone:400000:10\n',
    }),
  );

  test.each([
    [1001, 1001],
    [100_000, 1001],
    [165_535, 1001],
    [165_536, 165_536],
    [100_003, 100_003],
    [300_009, 1002],
    [400_000, 'gone'],
    [400_009, 'gone'],
  ])('%i is counted for %s', (uid, account) => {
    expect(accountOf(uid)).toBe(account);
  });
});

describe('rootOf and isMapped', () => {
  const files = filesOf({
    '/proc/5/uid_map': '         0       1001          1\n         1     100000      65536\n',
    '/proc/6/uid_map': '      1000       1001          1\n',
  });
  const [pid, rootless, gone] = [5, 6, 7] as Pid[] as [Pid, Pid, Pid];

  test('tell who is root, and who has a number', () => {
    expect([pid, rootless, gone].map((each) => rootOf(files, each, 'uid'))).toEqual([1001, undefined, undefined]);
    expect([0, 1001, 1002, 100_000, 165_535, 165_536].map((id) => isMapped(files, pid, 'uid', id))).toEqual([
      ...[false, true, false, true, true, false],
    ]);
  });
});
