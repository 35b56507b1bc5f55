import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseNamespaceLink, parseStat, parseStatus } from '../../../src/proc/parse.ts';

const STAT_TAIL = '1 5 5 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 123456789 4096 1 18446744073709551615 0';

describe('parseStat', () => {
  test('reads any comm, also one that looks like the fields behind it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 15 }), fc.constantFrom(') S 9', '((', '))', 'a\nb (c)')), (comm) => {
        expect(parseStat(`77 (${comm}) S ${STAT_TAIL}\n`)).toEqual({
          pid: 77,
          comm,
          state: 'S',
          ppid: 1,
          flags: 4194304,
          threads: 3,
          starttime: 123456789,
        });
      }),
    );
  });

  test('is undefined for anything else', () => {
    expect(parseStat('')).toBeUndefined();
    expect(parseStat('77 (sh) S 1 2 3')).toBeUndefined();
    fc.assert(fc.property(fc.string(), (text) => parseStat(text) === undefined || text.includes(')')));
  });
});

describe('parseStatus', () => {
  test('reads the fields', () => {
    const text =
      'Name:\ta: Tgid:\\n9\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t12\nNgid:\t0\nPid:\t13\nPPid:\t1\nTracerPid:\t4\n' +
      'Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t64\nGroups:\t4 24 \nNStgid:\t12\t2\nNSpid:\t13\t3\nThreads:\t2\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000080\nSeccomp:\t2\n';
    expect(parseStatus(text)).toEqual({
      tgid: 12,
      pid: 13,
      ppid: 1,
      tracerPid: 4,
      uids: [1, 2, 3, 4],
      gids: [5, 6, 7, 8],
      groups: [4, 24],
      nsPids: [13, 3],
      threads: 2,
      seccomp: 2,
      capPermitted: 0x1ff_ffff_ffffn,
      capEffective: 0x80n,
    });
  });

  test('reads them in whatever order they are, and 0 for what is not there', () => {
    const lines = [
      'Uid:\t1\t2\t3\t4',
      'Tgid:\t12',
      'Seccomp:\t2',
      'NSpid:\t13\t3',
      'CapEff:\t0000000000000080',
      'Threads:\t2',
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(lines, { minLength: lines.length }), (shuffled) => {
        expect(parseStatus(`${shuffled.join('\n')}\n`)).toMatchObject({
          ...{ tgid: 12, pid: 0, uids: [1, 2, 3, 4], gids: [], nsPids: [13, 3], threads: 2, seccomp: 2 },
          ...{ capPermitted: 0n, capEffective: 0x80n },
        });
      }),
    );
  });

  test('has no groups where the line is empty', () => {
    expect(parseStatus('Groups:\t \n').groups).toEqual([]);
  });

  test('gives back any list of pids', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 2 ** 22 }), { minLength: 1 }), (pids) => {
        expect(parseStatus(`NSpid:\t${pids.join('\t')}\n`).nsPids).toEqual(pids);
      }),
    );
  });
});

describe('parseNamespaceLink', () => {
  test('reads the inode number of any kind', () => {
    expect(parseNamespaceLink('net:[4026531840]')).toBe(4026531840);
    expect(parseNamespaceLink('time_for_children:[7]')).toBe(7);
  });

  test('is undefined for anything else', () => {
    expect(parseNamespaceLink('/proc/1/ns/net')).toBeUndefined();
    expect(parseNamespaceLink('net:[]')).toBeUndefined();
  });
});
