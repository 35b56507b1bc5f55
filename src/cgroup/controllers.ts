import path from 'node:path';
import type { FileAccess } from '../files.ts';
import { createCgroup } from './cgroup.ts';
import type { Hierarchy } from './hierarchy.ts';
import { tryWriteKnob } from './knob.ts';
import { ownLeaf } from './paths.ts';

/** Controllers every container gets where v2 has them: they account and limit, and cost little. */
export const WANTED_CONTROLLERS: readonly string[] = ['memory', 'pids', 'cpu', 'io'];

/**
 * Makes the daemon's cgroup `base`, an absolute path below the hierarchy's mount point, with what is missing above it, and
 * hands it controllers. It may be there already. Errors as `createCgroup`.
 */
export function createBase(files: FileAccess, hierarchy: Hierarchy, base: string): void {
  const names = path.relative(hierarchy.mountPoint, base).split('/');
  let directory = hierarchy.mountPoint;
  enableControllers(files, hierarchy, directory);
  for (const name of names) {
    directory = path.join(directory, name);
    if (!files.existsSync(directory)) createCgroup(files, directory);
    enableControllers(files, hierarchy, directory);
  }
}

/** Makes a container's cgroup and the leaf for its own processes; its parent's is there. Errors as `createCgroup`. */
export function createContainerCgroup(files: FileAccess, hierarchy: Hierarchy, directory: string): void {
  createCgroup(files, directory);
  enableControllers(files, hierarchy, directory);
  createCgroup(files, ownLeaf(directory));
}

/**
 * Lets the children of `directory` have the wanted controllers (`cgroup.subtree_control`). Best effort: a cgroup that holds
 * processes itself cannot (EBUSY), and accounting then sums /proc. Nothing is written where v2 has none of them.
 */
export function enableControllers(files: FileAccess, { controllers }: Hierarchy, directory: string): void {
  const wanted = WANTED_CONTROLLERS.filter((name) => controllers.includes(name));
  if (wanted.length === 0) return;
  const enable = (names: readonly string[]) =>
    tryWriteKnob(files, directory, 'cgroup.subtree_control', names.map((name) => `+${name}`).join(' '));
  // All or nothing, says the kernel; so one at a time if not all.
  if (!enable(wanted)) for (const name of wanted) enable([name]);
}
