import { setImmediate as nextTurn } from 'node:timers/promises';
import { unifiedPath } from '../cgroup/paths.ts';
import { directoryOf } from '../cgroup/hierarchy.ts';
import { processes } from '../cgroup/cgroup.ts';
import { tryWriteKnob } from '../cgroup/knob.ts';
import { KILL_LIMIT_MS } from '../cgroup/kill.ts';
import { waitUntil } from '../cgroup/wait.ts';
import { type Errno, FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { lastPid, readCgroups } from '../proc/scan.ts';
import { subtree, type Container } from './container.ts';
import type { Machine } from './machine.ts';
import { maySignal } from './may-signal.ts';

const SIGKILL = 9;

/** What is said of a pid that nobody has, or a thread (pidfd_open(2)). */
const NOBODYS: readonly Errno[] = ['ESRCH', 'EINVAL', 'ENOENT'];

/** Pids given while the others were killed, of which it is looked in one round who has them. */
const CHASED_LIMIT = 4_096;

/** The newest of them, which are looked at first, and such as were given just before: who had the others mostly has ended. */
const CHASED_AT_ONCE = 32;

/** Lists of all processes, one after the other, that must find nobody: see {@link areGone}. */
const LISTS = 2;

/** Whether anything at or below the container was discovered, so that its processes are known by their namespaces. */
export function hasFound(container: Container): boolean {
  for (const { found } of subtree(container)) if (found) return true;
  return false;
}

/**
 * Kills every process of the discovered containers at and below this one, also such as share their cgroup with others: round
 * after round, until one finds nobody; who was killed forks no more. Answers whether all are dead. The dead are waited for
 * for `limitMs` since the last was found, so that what forks is pursued, but not beyond `pursuitMs`. Whom `uid` may not
 * signal by then, as it has become somebody else, is left alone, and no matter.
 */
export async function killFound(
  machine: Machine,
  container: Container,
  uid: number,
  limitMs: number,
  pursuitMs = KILL_LIMIT_MS,
): Promise<boolean> {
  if (!hasFound(container)) return true;
  await machine.found.ready();
  const met = new Set<Pid>();
  const mayKill = (pid: Pid) => maySignal(machine, pid, uid);
  const isMeant = (pid: Pid) => machine.found.isBelow(pid, container) && mayKill(pid);
  const kill = (pid: Pid) => killPinned(machine, pid, isMeant, met);
  let isBehind = false;
  const round = async () => {
    const from = lastPid(machine.files);
    const pids = (await machine.found.processesBelow(container)).filter(mayKill);
    const own = pids.length === 0 ? undefined : await ownCgroup(machine, container, isMeant);
    if (own !== undefined) tryWriteKnob(machine.files, own, 'cgroup.kill', '1');
    for (const pid of pids) kill(pid);
    const chased = await chase(machine, kill, from);
    isBehind = chased === 'behind';
    return pids.length === 0 && chased === 'nobody' && (await areGone(machine, container, mayKill));
  };
  const end = performance.now() + pursuitMs;
  let areDead = false;
  let lastMetAt = performance.now();
  const isSettled = async () => {
    // No pause while some are found: each gives them time to fork.
    let isPursuing = true;
    while (isPursuing && performance.now() < end) {
      const before = met.size;
      areDead = await round();
      isPursuing = !areDead && (isBehind || met.size > before);
      if (isPursuing) lastMetAt = performance.now();
    }
    return areDead || performance.now() - lastMetAt >= limitMs;
  };
  await waitUntil(isSettled, pursuitMs);
  return areDead;
}

type Chased = 'nobody' | 'somebody' | 'behind';

/**
 * Kills who was made since about when `from` was the last pid, until nobody was made meanwhile. Who lists processes is always
 * late where each makes another one and ends; but the one at the end of such a line has a higher pid than those before it, and
 * who was killed before its child is there will have none (fork(2)). Answers whether it found any, `behind` if pids were given
 * faster than it looked.
 */
async function chase(machine: Machine, kill: (pid: Pid) => boolean, from: number): Promise<Chased> {
  let chased: Chased = 'nobody';
  for (let seen = Math.max(from - CHASED_AT_ONCE, 0), left = CHASED_LIMIT; left > 0;) {
    const last = lastPid(machine.files);
    if (last === seen || Number.isNaN(last)) return chased;
    // Pids are given from the lowest on again: a list of all tells more.
    if (last < seen) return 'behind';
    const first = Math.max(seen, last - CHASED_AT_ONCE) + 1;
    if (first > Math.max(seen, from) + 1) chased = 'behind';
    for (let pid = first; pid <= last; pid++) if (kill(pid as Pid) && chased === 'nobody') chased = 'somebody';
    seen = last;
    left -= last - first + 1;
    await nextTurn();
  }
  return 'behind';
}

/**
 * Whether lists of all processes find nobody who is meant. A fork takes a pid first, and is in no list before it is done,
 * which may be long after. Until then its maker is there, and comes earlier in a list, as pids are given in order; where they
 * began from the lowest on again in between, the next list has the child. Where that happens meanwhile, nothing is known.
 */
async function areGone(machine: Machine, container: Container, isMeant: (pid: Pid) => boolean): Promise<boolean> {
  const { files, found } = machine;
  const last = lastPid(files);
  for (let list = 0; list < LISTS; list++) {
    await found.lookAround();
    const pids = await found.processesBelow(container);
    if (pids.some(isMeant)) return false;
  }
  return !(lastPid(files) < last);
}

/** Pins the process, looks again whether it is one of those meant, and only then kills. Whether it was there to be killed. */
function killPinned({ kernel }: Machine, pid: Pid, isMeant: (pid: Pid) => boolean, met: Set<Pid>): boolean {
  let pidfd: number | undefined;
  try {
    pidfd = kernel.pidfdOpen(pid);
    if (!isMeant(pid)) return false;
    met.add(pid);
    kernel.pidfdSendSignal(pidfd, SIGKILL);
    return true;
  } catch (error) {
    if (!(error instanceof FsError && NOBODYS.includes(error.errno))) throw error;
    return false;
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

/** The same if nobody lives there but who is meant: by default, processes of the container and those below it. */
export async function ownCgroup(
  machine: Machine,
  container: Container,
  isMeant = (pid: Pid) => machine.found.isBelow(pid, container),
): Promise<string | undefined> {
  const directory = cgroupOfInit(machine, container);
  if (!container.found || directory === undefined || directory === machine.hierarchy.mountPoint) return undefined;
  const pids = await processes(machine.files, directory);
  return pids.length > 0 && pids.every(isMeant) ? directory : undefined;
}
