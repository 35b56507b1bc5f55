import { FsError, systemErrno } from '../errno.ts';
import { type FileAccess, isGone } from '../files.ts';
import { forEachPaced } from '../pace.ts';
import { isPopulated, processes, subtree } from './cgroup.ts';
import { leavesOf, ownLeaf } from './paths.ts';
import { waitUntil } from './wait.ts';

/** A cgroup whose last process was killed can be removed at once; this is for what a dying one may still make inside. */
export const REMOVE_LIMIT_MS = 2_000;

/**
 * Removes the cgroup and all below it, innermost first, also those a container made itself. Nothing to do if it is gone.
 * Its processes were killed or moved before: EBUSY, naming one, if one is left after {@link REMOVE_LIMIT_MS}.
 */
export async function removeCgroup(files: FileAccess, directory: string, limitMs = REMOVE_LIMIT_MS): Promise<void> {
  if (await waitUntil(() => removeOnce(files, directory), limitMs)) return;
  const [survivor] = await processes(files, directory);
  const why = survivor === undefined ? 'something is still being made in it' : `process ${survivor} is still in it`;
  throw new FsError('EBUSY', `Cannot remove the cgroup ${directory}: ${why}; kill it and try again`);
}

/** Removes the cgroup of a container in which nobody lives: all of it, or, where containers in it live, its leaves. */
export async function removeUnlessPopulated(files: FileAccess, container: string): Promise<void> {
  for (const directory of isPopulated(files, container) ? leavesOf(container) : [container]) {
    await removeCgroup(files, directory);
  }
}

/** Removes a container's cgroup if nobody lives in it and it has no cgroup but its leaf; whether it is gone. */
export function removeIfEmpty(files: FileAccess, container: string): boolean {
  return rmdirUnlessBusy(files, ownLeaf(container)) && rmdirUnlessBusy(files, container);
}

/** One pass; whether the directory is gone. */
async function removeOnce(files: FileAccess, directory: string): Promise<boolean> {
  // Nearly always there is the leaf of a container and nothing else.
  if (removeIfEmpty(files, directory)) return true;
  const innermostFirst = (await subtree(files, directory)).reverse();
  let busy = false;
  await forEachPaced(innermostFirst, (cgroup) => {
    busy = !rmdirUnlessBusy(files, cgroup) || busy;
  });
  return !busy;
}

/** Whether it is gone now. cgroupfs says EBUSY for processes and for children alike. */
function rmdirUnlessBusy(files: FileAccess, directory: string): boolean {
  try {
    files.rmdirSync(directory);
    return true;
  } catch (cause) {
    if (isGone(cause)) return true;
    const errno = systemErrno(cause) ?? 'EIO';
    if (errno === 'EBUSY' || errno === 'ENOTEMPTY') return false;
    throw new FsError(errno, `Cannot remove the cgroup ${directory}: ${errno}`, { cause });
  }
}
