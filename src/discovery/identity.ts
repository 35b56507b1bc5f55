import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { NAMESPACE_KINDS } from '../namespaces.ts';
import { partsOf, type SetKey } from './key.ts';

/**
 * What tells a set of namespaces from every other there ever was since the machine was booted, across daemons: the kernel's
 * unique numbers of them (Linux 6.18); else their inode numbers, which are given again, with the process that has them.
 */
export function markOf(
  kernel: Kernel,
  process: { readonly pid: Pid; readonly startTime: number },
  key: SetKey,
): string {
  const ids: string[] = [];
  for (const { link } of NAMESPACE_KINDS) {
    const id = idOf(kernel, process.pid, link);
    if (id === undefined) return `${key}@${process.pid}.${process.startTime}`;
    ids.push(id);
  }
  return ids.join(',');
}

/**
 * The kernel's unique numbers (Linux 6.18) of a process's namespaces, of the kinds in which `key` is not `machine`; the
 * others are `undefined`, and all where the kernel does not tell. It is for the caller to see that the process has them still.
 */
export function identityOf(kernel: Kernel, pid: Pid, key: SetKey, machine: SetKey): Identity {
  const machines = partsOf(machine);
  return partsOf(key).map((part, index) => {
    const kind = NAMESPACE_KINDS[index];
    const id = kind && part !== machines[index] ? idOf(kernel, pid, kind.link) : undefined;
    return id === '-' ? undefined : id;
  });
}

/** Unique numbers of namespaces, in the order of the table of kinds. */
export type Identity = readonly (string | undefined)[];

/** Whether they are other namespaces than these were; not so where either is not known. */
export function differs(one: Identity, other: Identity): boolean {
  return one.some((id, index) => id !== undefined && other[index] !== undefined && id !== other[index]);
}

/** `-` for a link that is not there; `undefined` where the kernel does not tell. */
function idOf(kernel: Kernel, pid: Pid, link: string): string | undefined {
  let fd: number | undefined;
  try {
    fd = kernel.openNamespace(pid, link);
    return kernel.namespaceId(fd)?.toString();
  } catch (error) {
    if (error instanceof FsError && ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(error.errno)) return '-';
    throw error;
  } finally {
    if (fd !== undefined) kernel.close(fd);
  }
}
