import { directoryOf } from '../cgroup/hierarchy.ts';
import { ownLeaf, unifiedPath } from '../cgroup/paths.ts';
import { FsError, systemErrno } from '../errno.ts';
import type { Sight } from '../proc/sight.ts';
import type { Entry } from './enter-checks.ts';
import { ownCgroup } from './kill-found.ts';
import type { Machine } from './machine.ts';

/** Directories in cgroupfs. */
export interface CgroupMove {
  readonly to: string;
  /** `undefined` where that is not to be known. */
  readonly from: string | undefined;
}

/** Of who enters all of a container that has a cgroup of its own, and is not in that; `undefined` for anybody else. */
export function moveOf(
  machine: Machine,
  { container, kinds }: Entry,
  { cgroups }: Pick<Sight, 'cgroups'>,
  to = ownLeaf(machine.cgroupOf(container)),
): CgroupMove | undefined {
  const was = unifiedPath(cgroups);
  const from = was === undefined ? undefined : directoryOf(machine.hierarchy, was);
  return kinds !== undefined || from === to ? undefined : { to, from };
}

/** As `moveOf`, also into a container that was discovered, which may share its cgroup with others. */
export async function anyMoveOf(machine: Machine, entry: Entry, sight: Sight): Promise<CgroupMove | undefined> {
  if (!entry.container.found || entry.kinds !== undefined) return moveOf(machine, entry, sight);
  const own = await ownCgroup(machine, entry.container);
  return own === undefined ? undefined : moveOf(machine, entry, sight, own);
}

export function procsOf(cgroup: string): string {
  return `${cgroup}/cgroup.procs`;
}

/** EPERM where the daemon may not move it there: it is no root's, and the process's cgroup was not handed to its user; ESRCH. */
export function join({ files }: Machine, { to }: CgroupMove, { target }: Entry, what: string): void {
  try {
    files.writeFileSync(procsOf(to), String(target));
  } catch (cause) {
    const errno = systemErrno(cause);
    if (errno === undefined) throw cause;
    if (errno !== 'EACCES') throw new FsError(errno, 'it cannot join the cgroup', { cause });
    const text = `Cannot ${what}: its cgroup is not below the one that nsdir was mounted from, which alone is yours`;
    throw new FsError('EPERM', text, { cause });
  }
}

/** Nothing changes for one that was not moved, or is gone. */
export function moveBack({ files, log }: Machine, { from }: CgroupMove, { target }: Entry): void {
  try {
    if (from !== undefined) files.writeFileSync(procsOf(from), String(target));
  } catch (error) {
    if (systemErrno(error) === 'ESRCH') return;
    log.warn({ target, before: from, err: error }, 'cannot move a process back to its cgroup');
  }
}
