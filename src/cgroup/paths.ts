import path from 'node:path';
import { type Serial, serial } from '../ids.ts';

/**
 * Where a container's own processes live: a leaf beside the directories of its children, because a cgroup that hands
 * controllers to children may hold no process itself (cgroup-v2.rst, "No Internal Process Constraint").
 */
export const OWN_LEAF = 'own';

/** The cgroup directory of a container: `base`, then the serials of its ancestors from the top, then its own. */
export function containerPath(base: string, serialsFromTop: readonly number[]): string {
  return path.join(base, ...serialsFromTop.map(String));
}

/** The leaf that holds the processes of the container whose directory is `container`. */
export function ownLeaf(container: string): string {
  return `${container}/${OWN_LEAF}`;
}

/** Where programs that make a container's first process run, beside the leaf of its own. */
export function startLeaf(container: string): string {
  return `${container}/start`;
}

/** The leaves in which processes of a container itself may be. */
export function leavesOf(container: string): string[] {
  return [ownLeaf(container), startLeaf(container)];
}

/** A serial as a directory name; anything else was not made by us. */
const SERIAL_NAME = /^[1-9][0-9]{0,14}$/;

/**
 * The containers a process is in, from the top, the deepest last; `undefined` if it is not below `basePath` at all.
 * Cgroups a container made inside its own leaf say nothing.
 *
 * @param procCgroupText text of /proc/PID/cgroup
 * @param basePath the base inside the hierarchy (see `pathInHierarchy`), not where it is mounted
 */
export function serialsOf(procCgroupText: string, basePath: string): Serial[] | undefined {
  const unified = unifiedPath(procCgroupText);
  if (unified === undefined) return undefined;
  const base = basePath === '/' ? '' : basePath;
  if (unified !== basePath && !unified.startsWith(`${base}/`)) return undefined;
  const names = unified.slice(base.length).split('/').slice(1);
  const end = names.findIndex((name) => !SERIAL_NAME.test(name));
  return names.slice(0, end < 0 ? names.length : end).map((name) => serial(Number(name)));
}

/** A removed cgroup in which a zombie remains is marked so (cgroup-v2.rst, "Processes"). */
const DELETED = ' (deleted)';

/** The process's cgroup in the v2 hierarchy, from the line `0::PATH` of /proc/PID/cgroup (cgroups(7)). */
export function unifiedPath(procCgroupText: string): string | undefined {
  const line = procCgroupText.split('\n').find((candidate) => candidate.startsWith('0::'));
  const found = line?.slice('0::'.length);
  return found?.endsWith(DELETED) === true ? found.slice(0, -DELETED.length) : found;
}
