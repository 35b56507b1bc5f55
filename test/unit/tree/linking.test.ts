import { Volume } from 'memfs';
import { expect, test } from 'vitest';
import type { Container } from '../../../src/container/container.ts';
import type { FileAccess } from '../../../src/files.ts';
import type { Pid } from '../../../src/ids.ts';
import { isSeenByLinker } from '../../../src/tree/linking.ts';

const CALLER = 7 as Pid;
/** link(2), and openat(2), as proc_pid_syscall(5) has them here. */
const LINK = process.arch === 'x64' ? 86 : 37;
const OPENAT = process.arch === 'x64' ? 257 : 56;

const IN_CALL = 'a b c 0x7ffe 0x7f01';

function isSeen(process: { comm: string; cmdline?: string; call?: number }, init?: Container['init']): boolean {
  const { comm, cmdline = `${comm}\0web/.nsproxy\0`, call = OPENAT } = process;
  const files = Volume.fromJSON({ comm: `${comm}\n`, cmdline, syscall: `${call} ${IN_CALL}\n` }, `/proc/${CALLER}`);
  return isSeenByLinker(files as unknown as FileAccess, { init } as Container, CALLER);
}

test.each([
  ['ln', { comm: 'ln' }, true],
  ['ln of GNU where it is not the first', { comm: 'gln' }, true],
  ['ln of busybox', { comm: 'busybox', cmdline: 'busybox\0ln\0-f\0' }, true],
  ['whoever is in link(2)', { comm: 'python3', call: LINK }, true],
  ['who only looks', { comm: 'stat' }, false],
  ['another applet of busybox', { comm: 'busybox', cmdline: 'busybox\0stat\0ln\0' }, false],
  ['busybox without an applet', { comm: 'busybox', cmdline: 'busybox\0' }, false],
  ['a name that begins so', { comm: 'lnx' }, false],
])('the .nsproxy of a container that has not started is found by who links: %s', (_, process, expected) => {
  expect(isSeen(process)).toBe(expected);
});

test('of one that runs everybody finds it as it is', () => {
  expect(isSeen({ comm: 'ln' }, { pid: 1, startTime: 1 } as Container['init'])).toBe(false);
});

test('nobody who is gone, and nobody out of sight', () => {
  const files = new Volume() as unknown as FileAccess;
  for (const pid of [CALLER, 0] as Pid[]) expect(isSeenByLinker(files, {} as Container, pid)).toBe(false);
});
