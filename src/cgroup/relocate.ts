import { FsError } from '../errno.ts';
import { type FileAccess, readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';
import { forEachPaced } from '../pace.ts';
import { createCgroup, ownProcesses, subtree } from './cgroup.ts';
import { freeze, isAskedToFreeze, thaw, type WaitOptions } from './freeze.ts';
import { writeKnob } from './knob.ts';
import { removeCgroup } from './remove.ts';
import { copySettings } from './settings.ts';

/**
 * Moves a cgroup with all it holds, cgroups, settings and processes, from `source` to `target`, which does not exist but
 * whose parent does (cgroup v2 cannot rename). The processes stand still meanwhile, and go on unless they were frozen
 * before. When it fails, everything is back where it was: EEXIST, ENOENT, ETIMEDOUT, EINTR, or what the kernel says.
 */
export async function relocate(
  files: FileAccess,
  source: string,
  target: string,
  options: WaitOptions = {},
): Promise<void> {
  const frozenBefore = isAskedToFreeze(files, source);
  await freeze(files, source, options);
  try {
    createCgroup(files, target);
    await moveAll(files, source, target);
  } catch (error) {
    await putBack(files, source, target, error);
    if (!frozenBefore) await thaw(files, source);
    throw error;
  }
  await removeCgroup(files, source);
  if (!frozenBefore) await thaw(files, target);
}

/** A frozen cgroup forks nothing, so one round moves all; but a process that was just being born may come late. */
const MOVE_ROUNDS_LIMIT = 100;

async function moveAll(files: FileAccess, source: string, target: string): Promise<void> {
  const cgroups = (await subtree(files, source)).filter((directory) => !isThreaded(files, directory));
  await forEachPaced(cgroups, (directory) => {
    const there = counterpart(directory, source, target);
    if (there !== target) createCgroup(files, there);
    copySettings(files, directory, there);
    if (isAskedToFreeze(files, directory)) writeKnob(files, there, 'cgroup.freeze', '1');
  });
  for (const directory of cgroups) await moveProcesses(files, directory, counterpart(directory, source, target));
}

/** Processes back to where they came from; the copies of their cgroups go. */
async function putBack(files: FileAccess, source: string, target: string, reason: unknown): Promise<void> {
  if (reason instanceof FsError && reason.errno === 'EEXIST') return;
  for (const directory of await subtree(files, target)) {
    await moveProcesses(files, directory, counterpart(directory, target, source));
  }
  await removeCgroup(files, target);
}

function counterpart(directory: string, from: string, to: string): string {
  return `${to}${directory.slice(from.length)}`;
}

/** Threads of a threaded cgroup are moved with their process, which belongs to the domain above. */
function isThreaded(files: FileAccess, directory: string): boolean {
  const type = readIfThere(files, `${directory}/cgroup.type`)?.trim();
  return type === 'threaded' || type === 'domain invalid';
}

/**
 * Moves the processes of one cgroup, not of those below, until none is left. One that exits meanwhile is passed over.
 * EBUSY when it gets new ones faster than they can be moved.
 */
export async function moveProcesses(files: FileAccess, source: string, target: string): Promise<void> {
  for (let round = 0; round < MOVE_ROUNDS_LIMIT; round++) {
    const pids = ownProcesses(files, source);
    if (pids.length === 0) return;
    await forEachPaced(pids, (pid) => {
      moveProcess(files, pid, target);
    });
  }
  throw new FsError('EBUSY', `Cannot move the processes of ${source}: new ones keep coming; freeze it and try again`);
}

/** Moves one process, all its threads. Whether it was there to be moved. */
export function moveProcess(files: FileAccess, pid: Pid, target: string): boolean {
  try {
    writeKnob(files, target, 'cgroup.procs', String(pid));
    return true;
  } catch (error) {
    if (error instanceof FsError && error.errno === 'ESRCH') return false;
    throw error;
  }
}
