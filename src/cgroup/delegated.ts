import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { type FileAccess, readIfThere } from '../files.ts';
import { directoryOf, findHierarchy } from './hierarchy.ts';
import { unifiedPath } from './paths.ts';

/**
 * This process's own cgroup, as a path below the cgroup v2 mount, if it may make cgroups in it and put its children there
 * (cgroup-v2.rst, "Delegation Containment"); `undefined` if not.
 */
export function delegatedCgroup(files: FileAccess, mayWrite = isWritable): string | undefined {
  const own = unifiedPath(readIfThere(files, '/proc/self/cgroup') ?? '');
  try {
    const hierarchy = findHierarchy(files);
    const directory = own === undefined ? undefined : directoryOf(hierarchy, own);
    if (directory === undefined || ![directory, `${directory}/cgroup.procs`].every(mayWrite)) return undefined;
    return path.relative(hierarchy.mountPoint, directory);
  } catch {
    return undefined; // there is no cgroup v2
  }
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
