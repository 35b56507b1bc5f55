import { FsError } from '../errno.ts';
import { ARCHITECTURES } from '../kernel/architecture.ts';
import type { Call } from '../kernel/tracee.ts';
import { cloneFlags, type NamespaceKind } from '../namespaces.ts';

/** linux/sched.h */
const CLONE_FS = 0x200n;
/** linux/prctl.h */
const PR_SET_DUMPABLE = 4n;
/** The same on all machines (asm-generic/unistd.h). */
const SYS_PIDFD_OPEN = 434n;

/**
 * The system calls by which a process joins namespaces of `init`, a pid as it knows it itself; one setns(2) joins all or none.
 * Who becomes the root of a user namespace is looked into by nobody there, since before that he is somebody else, and leaves
 * his groups outside, where it is sure that he may.
 */
export function joining(init: number, kinds: readonly NamespaceKind[], becomesRoot: boolean): Call[] {
  const calls = ARCHITECTURES[process.arch]?.calls;
  if (!calls) throw new FsError('ENOSYS', `nsdir does not know a machine like this, ${process.arch}`);
  // Another process may share root and working directory, which would be changed for both (kernel/nsproxy.c, commit_nsset).
  const apart: Call[] = kinds.includes('mnt') ? [{ number: calls.unshare, args: [CLONE_FS] }] : [];
  const opened = { resultOf: apart.length };
  const before: Call[] = [
    { number: calls.setgroups, args: [0n, 0n] },
    { number: calls.prctl, args: [PR_SET_DUMPABLE, 0n] },
  ];
  const after: Call[] = [calls.setresgid, calls.setresuid].map((number) => ({ number, args: [0n, 0n, 0n] }));
  return [
    ...apart,
    { number: SYS_PIDFD_OPEN, args: [BigInt(init), 0n] },
    ...(becomesRoot ? before : []),
    { number: calls.setns, args: [opened, BigInt(cloneFlags(kinds))] },
    ...(becomesRoot ? after : []),
    { number: calls.close, args: [opened], always: true },
  ];
}
