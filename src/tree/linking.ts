import type { Container } from '../container/container.ts';
import { readIfThere, type FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { MANY_IN_ONE } from './archivers.ts';

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

/** Programs that make links, by the name the kernel has of a process (proc_pid_comm(5)). */
const LINKERS: readonly string[] = ['ln', 'gln'];

/** Whether the caller is to find the `.nsproxy` of a container that has not started, which is started by the link. */
export function isSeenByLinker(files: FileAccess, { init }: Container, caller: Pid): boolean {
  return init === undefined && isLinker(files, caller);
}

/** Whether the caller makes links: it is in such a call, or a program for that, which looks first at what is to be linked. */
function isLinker(files: FileAccess, caller: Pid): boolean {
  if (caller === 0) return false;
  const comm = readIfThere(files, `/proc/${caller}/comm`)?.trim() ?? '';
  if (LINKERS.includes(comm) || isLinking(files, caller)) return true;
  if (!MANY_IN_ONE.has(comm)) return false;
  const [, applet = ''] = (readIfThere(files, `/proc/${caller}/cmdline`) ?? '').split('\0');
  return LINKERS.includes(applet);
}
