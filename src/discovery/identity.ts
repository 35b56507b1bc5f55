import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { NAMESPACE_KINDS } from '../namespaces.ts';
import type { SetKey } from './key.ts';

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
