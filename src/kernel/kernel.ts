import type { Pid } from '../ids.ts';

/**
 * The port to what Node cannot ask the kernel itself. `linux.ts` is the real one, `test/support/fake-kernel.ts` records.
 * Every method throws `FsError` with the system call's errno.
 */
export interface Kernel {
  /** pidfd_open(2): a descriptor that keeps meaning this very process; ESRCH if it is gone. */
  pidfdOpen(pid: Pid): number;
  /** pidfd_send_signal(2). `signal` 0 only checks. */
  pidfdSendSignal(pidfd: number, signal: number): void;
  /**
   * Time of processors that all threads of a process have used, in nanoseconds (clock_getcpuclockid(3)): it stands still as
   * long as the process does nothing at all. `undefined` if it is gone, or nobody tells. Anybody may ask.
   */
  processTime(pid: Pid): number | undefined;
  /**
   * Opens `/proc/PID/ns/LINK` (namespaces(7)); ENOENT if the process or the link is gone, EACCES without the right to
   * look. An open descriptor keeps the namespace alive: close it in the same turn.
   */
  openNamespace(pid: Pid, link: string): number;
  /** Inode number of an open namespace: unique among those that live (nsfs). */
  namespaceInode(fd: number): number;
  /** ioctl NS_GET_ID (linux/nsfs.h, Linux 6.18): a number never used again; `undefined` where the kernel lacks it. */
  namespaceId(fd: number): bigint | undefined;
  /** ioctl NS_GET_PARENT (ioctl_ns(2)) of a pid or user namespace: a new descriptor; `undefined` at the top or out of sight. */
  namespaceParent(fd: number): number | undefined;
  /** ioctl NS_GET_OWNER_UID (ioctl_ns(2)) of a user namespace: who made it, as the daemon's user namespace has the id. */
  namespaceOwner(fd: number): number;
  /** mkdir/rmdir/… never go through here: Node has them. */
  close(fd: number): void;
}
