import { type FileAccess, readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';

type IdKind = 'uid' | 'gid';

/** Rows of /proc/PID/uid_map or gid_map: ids in its user namespace, and what these are in the daemon's (user_namespaces(7)). */
function rowsOf(files: FileAccess, pid: Pid, kind: IdKind): { inside: number; outside: number; count: number }[] {
  const lines = (readIfThere(files, `/proc/${pid}/${kind}_map`) ?? '').split('\n');
  return lines.flatMap((line) => {
    const [inside, outside, count] = line.trim().split(/\s+/).map(Number);
    return inside === undefined || outside === undefined || count === undefined ? [] : [{ inside, outside, count }];
  });
}

/** What id 0 of a process's user namespace is in the daemon's; `undefined` if it is nobody there, or the process is gone. */
export function rootOf(files: FileAccess, pid: Pid, kind: IdKind): number | undefined {
  return rowsOf(files, pid, kind).find(({ inside }) => inside === 0)?.outside;
}

/** Whether an id of the daemon's user namespace has a number in that of a process. */
export function isMapped(files: FileAccess, pid: Pid, kind: IdKind, id: number): boolean {
  return rowsOf(files, pid, kind).some(({ outside, count }) => id >= outside && id < outside + count);
}
