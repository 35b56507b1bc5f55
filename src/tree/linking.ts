import { readIfThere, type FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';

/** Numbers of link(2), symlink(2) and their `at` forms (asm/unistd.h), by Node's name of the machine. */
const LINKING: Readonly<Partial<Record<string, readonly number[]>>> = {
  x64: [86, 88, 265, 266],
  arm64: [36, 37],
};

/** Whether the caller, who waits for an answer, is making a link (proc_pid_syscall(5)). */
export function isLinking(files: FileAccess, caller: Pid): boolean {
  if (caller === 0) return false;
  const number = Number.parseInt(readIfThere(files, `/proc/${caller}/syscall`) ?? '');
  return LINKING[process.arch]?.includes(number) ?? false;
}
