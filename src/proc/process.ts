import { type FileAccess, readIfThere, readlinkIfAllowed } from '../files.ts';
import type { Pid } from '../ids.ts';
import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { parseNamespaceLink, parseStat, parseStatus, type ProcStat, type ProcStatus } from './parse.ts';

/** PF_EXITING and PF_KTHREAD (linux/sched.h). */
const EXITING = 0x0000_0004;
const KERNEL_THREAD = 0x0020_0000;

/** Some 15 µs. `undefined` if the process is gone. `pid` may be a thread's id. */
export function readStat(files: FileAccess, pid: Pid): ProcStat | undefined {
  const text = readIfThere(files, `/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Some 20 µs. `undefined` if the process is gone. `pid` may be a thread's id. */
export function readStatus(files: FileAccess, pid: Pid): ProcStatus | undefined {
  const text = readIfThere(files, `/proc/${pid}/status`);
  return text === undefined ? undefined : parseStatus(text);
}

export function isKernelThread({ flags }: ProcStat): boolean {
  return (flags & KERNEL_THREAD) !== 0;
}

/** A zombie is dead: only its parent has not heard yet. */
export function isZombie({ state }: ProcStat): boolean {
  return state === 'Z' || state === 'X';
}

/** Whether it is on its way out of the kernel, or dead: an init takes along all that is in its pid namespace first. */
export function isEnding(stat: ProcStat): boolean {
  return (stat.flags & EXITING) !== 0 || isZombie(stat);
}

/** Whether the process that had this pid and start time still lives. */
export function isAlive(files: FileAccess, pid: Pid, starttime: number): boolean {
  const stat = readStat(files, pid);
  return stat !== undefined && stat.starttime === starttime && !isZombie(stat);
}

/** Inode numbers of a process's namespaces; a kind that may not be read or has none (yet) is missing. */
export type NamespaceInodes = Readonly<Partial<Record<NamespaceKind, number>>>;

/** Some 40 µs. Empty if the process is gone, a zombie, or may not be looked at (ptrace(2), PTRACE_MODE_READ). */
export function namespacesOf(files: FileAccess, pid: Pid): NamespaceInodes {
  const inodes: Partial<Record<NamespaceKind, number>> = {};
  for (const { kind, link } of NAMESPACE_KINDS) {
    const inode = namespaceInode(files, pid, link);
    if (inode !== undefined) inodes[kind] = inode;
  }
  return inodes;
}

/** The inode number `/proc/PID/ns/LINK` shows; `pid` may be `self`. */
export function namespaceInode(files: FileAccess, pid: Pid | 'self', link: string): number | undefined {
  return parseNamespaceLink(readlinkIfAllowed(files, `/proc/${pid}/ns/${link}`) ?? '');
}

const OWN = new WeakMap<FileAccess, Map<string, number>>();

/** Inode number of the daemon's own namespace, in which it stays. */
export function ownNamespace(files: FileAccess, link: string): number | undefined {
  const own = OWN.get(files) ?? new Map<string, number>();
  OWN.set(files, own);
  const inode = own.get(link) ?? namespaceInode(files, 'self', link);
  if (inode !== undefined) own.set(link, inode);
  return inode;
}
