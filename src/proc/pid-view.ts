import { FsError } from '../errno.ts';
import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { namespaceInode, ownNamespace, readStatus } from './process.ts';

/** How one process sees the others: a pid of the daemon's namespace to what the viewer knows it by, if at all. */
export type PidView = (target: Pid) => number | undefined;

const SEES_NOTHING: PidView = () => undefined;
const SEES_ALL: PidView = (target) => target;

/**
 * The view of `reader`, a pid or thread id from a request's header: 0 if it is not visible to the daemon. It sees what is in
 * its pid namespace and below it; nothing if it is gone. For the reader's own request only: it may end, its pid be reused.
 */
export function pidView(
  { files, kernel }: { readonly files: FileAccess; readonly kernel: Kernel },
  reader: Pid,
  inode = reader === 0 ? undefined : namespaceInode(files, reader, 'pid'),
): PidView {
  if (inode === undefined) return SEES_NOTHING;
  if (inode === ownNamespace(files, 'pid')) return SEES_ALL;
  const depth = readStatus(files, reader)?.nsPids.length ?? 0;
  if (depth === 0) return SEES_NOTHING;
  return (target) => {
    const nsPids = readStatus(files, target)?.nsPids ?? [];
    const seen = nsPids[depth - 1];
    // At the reader's depth there may be another namespace, its sibling.
    return seen !== undefined && descendsFrom(kernel, target, nsPids.length - depth, inode) ? seen : undefined;
  };
}

/** One pid for one reader: see {@link pidView}. */
export function pidFor(
  system: { readonly files: FileAccess; readonly kernel: Kernel },
  reader: Pid,
  target: Pid,
): number | undefined {
  return pidView(system, reader)(target);
}

/** Whether the pid namespace `levels` above the target's own is the one with this inode. At most 32 levels (pid_namespaces(7)). */
function descendsFrom(kernel: Kernel, target: Pid, levels: number, inode: number): boolean {
  let fd = openUnlessGone(kernel, target);
  try {
    for (let level = 0; level < levels && fd !== undefined; level++) {
      const parent = kernel.namespaceParent(fd);
      kernel.close(fd);
      fd = parent;
    }
    return fd !== undefined && kernel.namespaceInode(fd) === inode;
  } finally {
    if (fd !== undefined) kernel.close(fd);
  }
}

function openUnlessGone(kernel: Kernel, target: Pid): number | undefined {
  try {
    return kernel.openNamespace(target, 'pid');
  } catch (error) {
    if (error instanceof FsError && ['ENOENT', 'ESRCH', 'EACCES'].includes(error.errno)) return undefined;
    throw error;
  }
}
