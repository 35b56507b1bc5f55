import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { failureOf, firstError, oldestFor } from '../../../src/checkpoint/criu.ts';

describe('firstError', () => {
  test('is what went wrong first, without time, place, noise and consequences', () => {
    const log = [
      "(00.048165) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted",
      '(00.050776) Warn  (compel/infect.c:419): Will restore 23163 with interrupted system call',
      '(00.030555)      1: Error (criu/files-reg.c:2175): File x has bad size 66 (expect 54)',
      '(00.031283) Error (criu/cr-restore.c:2331): Restoring FAILED.',
    ].join('\n');
    expect(firstError(log)).toBe('File x has bad size 66 (expect 54)');
    expect(firstError('(00.1) Warn (x): y\n')).toBeUndefined();
  });

  test('tells also what the launcher’s child says', () => {
    expect(firstError('Error (nsdir): Cannot join its cgroup: No such file or directory\n')).toBe(
      'Cannot join its cgroup: No such file or directory',
    );
  });
});

describe('oldestFor', () => {
  test.each([
    ['5.10.0-28-amd64', [3, 15]],
    ['6.12.9', [3, 15]],
    ['6.13.0', [4, 0]],
    ['6.16.1-rc1', [4, 2]],
    ['6.18.44-fc-v657', [4, 2]],
    ['7.0.0', [4, 2]],
  ])('knows for Linux %s the oldest CRIU that works', (kernel, oldest) => {
    expect(oldestFor(kernel)).toEqual(oldest);
  });

  test('says what scripts/setup-criu says', () => {
    const script = readFileSync(new URL('../../../scripts/setup-criu', import.meta.url), 'utf8');
    const rows = [...script.matchAll(/at_least "\$kernel" ([\d.]+); then\n {2}oldest=([\d.]+)/g)];
    expect(rows.length).toBe(2);
    for (const [, kernel = '', oldest = ''] of rows) expect(oldestFor(kernel).join('.')).toBe(oldest);
    expect(oldestFor('5.4').join('.')).toBe(/else\n {2}oldest=([\d.]+)/.exec(script)?.[1]);
  });
});

test('what criu refuses is EIO, and EBUSY where it may pass', () => {
  const log = '(00.1) Error (criu/sk-netlink.c:127): netlink: The socket has data to read\n';
  expect(failureOf(firstError(log) ?? '')).toMatchObject({
    errno: 'EBUSY',
    message: 'netlink: The socket has data to read; try again',
  });
  expect(failureOf('File x has bad size')).toMatchObject({ errno: 'EIO', message: 'File x has bad size' });
});
