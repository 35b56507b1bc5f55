import { unifiedPath } from '../cgroup/paths.ts';
import { directoryOf } from '../cgroup/hierarchy.ts';
import { processes } from '../cgroup/cgroup.ts';
import { tryWriteKnob } from '../cgroup/knob.ts';
import { waitUntil } from '../cgroup/wait.ts';
import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { readCgroups } from '../proc/scan.ts';
import { subtree, type Container } from './container.ts';
import type { Machine } from './machine.ts';

const SIGKILL = 9;

/** Whether anything at or below the container was discovered, so that its processes are known by their namespaces. */
export function hasFound(container: Container): boolean {
  for (const { found } of subtree(container)) if (found) return true;
  return false;
}

/**
 * Kills every process of the discovered containers at and below this one, also such as share their cgroup with others: round
 * after round, until one finds nobody; who was killed forks no more. Answers whether all are dead within `limitMs`.
 */
export async function killFound(machine: Machine, container: Container, limitMs: number): Promise<boolean> {
  if (!hasFound(container)) return true;
  await machine.found.ready();
  const round = async () => {
    const pids = await machine.found.processesBelow(container);
    if (pids.length === 0) return true;
    const own = await ownCgroup(machine, container);
    if (own !== undefined) tryWriteKnob(machine.files, own, 'cgroup.kill', '1');
    for (const pid of pids) killPinned(machine, container, pid);
    return false;
  };
  return waitUntil(round, limitMs);
}

/** Pins the process, looks again whether it is one of those meant, and only then kills. */
function killPinned({ kernel, found }: Machine, container: Container, pid: Pid): void {
  let pidfd: number | undefined;
  try {
    pidfd = kernel.pidfdOpen(pid);
    if (found.isBelow(pid, container)) kernel.pidfdSendSignal(pidfd, SIGKILL);
  } catch (error) {
    if (!(error instanceof FsError && error.errno === 'ESRCH')) throw error;
  } finally {
    if (pidfd !== undefined) kernel.close(pidfd);
  }
}

/** The cgroup of a discovered container's first process: absolute path; `undefined` for the root of the hierarchy. */
export function cgroupOfInit({ files, hierarchy }: Machine, { init }: Container): string | undefined {
  const unified = init && unifiedPath(readCgroups(files, init.pid));
  if (unified === undefined || unified === '/') return undefined;
  return directoryOf(hierarchy, unified);
}

/** The same if nobody but processes of the container and those below it live there. */
export async function ownCgroup(machine: Machine, container: Container): Promise<string | undefined> {
  const directory = cgroupOfInit(machine, container);
  if (!container.found || directory === undefined || directory === machine.hierarchy.mountPoint) return undefined;
  const pids = await processes(machine.files, directory);
  return pids.length > 0 && pids.every((pid) => machine.found.isBelow(pid, container)) ? directory : undefined;
}
