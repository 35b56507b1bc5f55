import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import type { Kernel } from '../kernel/kernel.ts';

/** capabilities(7) */
export const CAP_SETGID = 6;
export const CAP_SYS_ADMIN = 21;

/** What of a process's credentials its capabilities follow from. */
export interface Holder {
  readonly uids: readonly number[];
  readonly capEffective: bigint;
  readonly userNamespace: number;
}

/** Levels of user namespaces, the kernel's own limit (user_namespaces(7)), and one. */
const LEVELS_LIMIT = 33;

/**
 * Whether `holder` has a capability in the user namespace that `of` is in; `self`: in the daemon's. The kernel's rule
 * (cap_capable, security/commoncap.c): its own effective set counts in its own user namespace and in those below; and who
 * made a user namespace, from the one above it, has all capabilities in it.
 */
export function capableIn(
  { kernel }: { readonly kernel: Kernel },
  holder: Holder,
  of: Pid | 'self',
  capability: number,
): boolean {
  const [, euid] = holder.uids;
  let fd = openUser(kernel, of);
  try {
    for (let level = 0; fd !== undefined && level < LEVELS_LIMIT; level++) {
      if (kernel.namespaceInode(fd) === holder.userNamespace) {
        return (holder.capEffective & (1n << BigInt(capability))) !== 0n;
      }
      const parent = kernel.namespaceParent(fd);
      const owner = kernel.namespaceOwner(fd);
      kernel.close(fd);
      fd = parent;
      if (fd !== undefined && owner === euid && kernel.namespaceInode(fd) === holder.userNamespace) return true;
    }
    return false;
  } finally {
    if (fd !== undefined) kernel.close(fd);
  }
}

/** How many user namespaces `of` is below the daemon's own; `undefined` if it is not, or is gone. */
export function userNamespaceDepth({ kernel }: { readonly kernel: Kernel }, of: Pid): number | undefined {
  const own = openUser(kernel, 'self');
  let fd = openUser(kernel, of);
  try {
    if (own === undefined) return undefined;
    const top = kernel.namespaceInode(own);
    for (let level = 0; fd !== undefined && level < LEVELS_LIMIT; level++) {
      if (kernel.namespaceInode(fd) === top) return level;
      const parent = kernel.namespaceParent(fd);
      kernel.close(fd);
      fd = parent;
    }
    return undefined;
  } finally {
    for (const open of [own, fd]) if (open !== undefined) kernel.close(open);
  }
}

function openUser(kernel: Kernel, of: Pid | 'self'): number | undefined {
  try {
    return kernel.openNamespace(of === 'self' ? (process.pid as Pid) : of, 'user');
  } catch (error) {
    if (error instanceof FsError && ['ENOENT', 'ESRCH', 'EACCES'].includes(error.errno)) return undefined;
    throw error;
  }
}
