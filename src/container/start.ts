import { existsSync, rmSync } from 'node:fs';
import { createCgroup, isPopulated } from '../cgroup/cgroup.ts';
import { enableControllers } from '../cgroup/controllers.ts';
import { kill } from '../cgroup/kill.ts';
import { leavesOf, ownLeaf } from '../cgroup/paths.ts';
import { removeCgroup, removeUnlessPopulated } from '../cgroup/remove.ts';
import { waitUntil } from '../cgroup/wait.ts';
import { FsError, systemErrno } from '../errno.ts';
import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { stateFiles } from '../instance.ts';
import type { NamespaceKind } from '../namespaces.ts';
import { OWN_UID } from '../own-user.ts';
import { isEnding, readStat } from '../proc/process.ts';
import { now } from '../time.ts';
import { chainOf, frozenBy, isLive, pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';
import { counted } from './quota.ts';
import { isOfUser, ownerFor, refuseStarter } from './owner.ts';
import type { Order, Way } from './way.ts';
import { wayOf } from './ways.ts';

/** How long what an earlier life of the container left may take to die. */
const LEFTOVER_WAIT_MS = 2_000;

/** Containers around one that may end, one after the other, while it is started. */
const OUTERS_LIMIT = 64;

/** How long it may take until it is told that a container has ended whose init is seen ending. */
const OUTER_END_LIMIT_MS = 2_000;

/** What is known of who asks for a start. */
export interface Starter {
  readonly caller: { readonly pid: Pid; readonly uid: number };
  readonly unique: number;
  /** A former daemon may have begun with it. */
  readonly resent?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Gives the container its namespaces and its init. `kinds`: exactly these are new; by default those asked for in `.ns`
 * besides the usual ones. EPERM for a caller who is neither its owner nor root, EBUSY if it runs or is below a frozen one, else what
 * failed, by the step. A failed start leaves nothing behind.
 */
export async function start(
  machine: Machine,
  container: Container,
  request: Starter,
  kinds?: readonly NamespaceKind[],
): Promise<void> {
  const what = `start "${pathOf(container)}"`;
  await machine.locks.hold(container, what, async () => {
    if (isLive(container) && (kinds === undefined || wasStarted(container, request, kinds))) return;
    refuseStart(machine, container, request, what);
    await outsideOfEnding(machine, container, request, (outer) =>
      startIn(machine, container, request, { outer, kinds }),
    );
  });
}

/**
 * Calls `begin` with the nearest container around that has an init. One that ends takes along what is started in it: it is
 * around it no more then, and `begin` is called again.
 */
async function outsideOfEnding(
  machine: Machine,
  container: Container,
  { signal }: Starter,
  begin: (outer: Container | undefined) => Promise<void>,
): Promise<void> {
  for (let left = OUTERS_LIMIT; ; left--) {
    const outer = nearestRunning(container);
    const init = outer?.init;
    try {
      await begin(outer);
      return;
    } catch (error) {
      if (!outer || !init || left === 0) throw error;
      const stat = readStat(machine.files, init.pid);
      if (stat?.starttime === init.startTime && !isEnding(stat)) throw error;
      if (!(await waitUntil(() => outer.init?.pid !== init.pid, OUTER_END_LIMIT_MS, signal))) throw error;
    }
  }
}

async function startIn(
  machine: Machine,
  container: Container,
  request: Starter,
  { outer, kinds }: Pick<Order, 'outer' | 'kinds'>,
): Promise<void> {
  const what = `start "${pathOf(container)}"`;
  const isRoots = OWN_UID !== 0 || (container.uid === 0 && !(outer && isOfUser(outer)));
  const owner = isRoots ? undefined : await ownerFor(machine, container, outer, request.caller, what);
  const order = { outer, parent: outer?.init, kinds, owner, signal: request.signal };
  // Asked once: the link to a bundle may be made while a start waits.
  const way = wayOf(container);
  way.refuse?.(machine, container, order, what);
  const begin = () => startLocked(machine, container, request, order, way);
  await (owner ? counted(machine, owner.uid, what, begin) : begin());
}

/** The daemon that started it died before it could say so. */
function wasStarted(container: Container, { resent }: Starter, kinds: readonly NamespaceKind[]): boolean {
  // Who is not root gets a user namespace besides.
  const its = (container.kinds ?? []).filter((kind) => kind !== 'user' || kinds.includes(kind));
  return resent === true && its.length === kinds.length && kinds.every((kind) => its.includes(kind));
}

function refuseStart({ store }: Machine, container: Container, { caller }: Starter, what: string): void {
  if (!store.registry.get(container.serial)) throw new FsError('ENOENT', `Cannot ${what}: it is gone`);
  if (container.found) {
    throw new FsError('EBUSY', `Cannot ${what}: it was not made here, so nobody knows how; start it with what made it`);
  }
  refuseStarter(container, caller, what);
  if (isLive(container)) {
    throw new FsError('EBUSY', `Cannot ${what} with other namespaces: it runs; write stopped to .state first`);
  }
  if (container.phase === 'removing') throw new FsError('EBUSY', `Cannot ${what}: it is being removed`);
  const frozen = frozenBy(container);
  if (frozen) {
    throw new FsError('EBUSY', `Cannot ${what}: "${pathOf(frozen)}" is frozen; write running to its .state first`);
  }
}

async function startLocked(
  machine: Machine,
  container: Container,
  { unique }: Starter,
  order: Order,
  way: Way,
): Promise<void> {
  const { instance, store, events } = machine;
  const { output } = stateFiles(instance, container.serial);
  const begun = now();
  try {
    // Of a container that had this number before the machine was booted: the state directory outlives the run directory.
    if (container.phase === 'declared' && existsSync(output)) rmSync(output);
    await prepareCgroups(machine, container, order.signal);
    const { init, kinds } = await way.begin(machine, container, order);
    if (!store.registry.get(container.serial)) throw new FsError('ENOENT', `"${container.name}" was removed meanwhile`);
    store.commit([{ op: 'start', serial: container.serial, init, kinds, at: begun }], unique);
  } catch (error) {
    await discardCgroups(machine, container);
    throw error;
  }
  events.emit(container, 'started');
}

/** The nearest container above that has an init: the new one nests in its namespaces. */
export function nearestRunning(container: Container): Container | undefined {
  return chainOf(container)
    .slice(0, -1)
    .reverse()
    .find(({ init }) => init !== undefined);
}

/** The cgroup directories from the base down to the leaf, each with the controllers handed down where there are any. */
export async function prepareCgroups(
  machine: Machine,
  container: Container,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { files, hierarchy } = machine;
  const directory = machine.cgroupOf(container);
  const leaf = ownLeaf(directory);
  if (files.existsSync(directory)) await clearAway(files, directory, signal);
  for (const ancestor of chainOf(container)) {
    const path = machine.cgroupOf(ancestor);
    // Ancestors mostly are: asking is cheaper than an exception.
    if (ancestor === container || !files.existsSync(path)) createUnlessThere(machine, path);
    enableControllers(files, hierarchy, path);
  }
  createUnlessThere(machine, leaf);
}

/** A cgroup that was killed once kills all that is started in it: what an earlier life left goes first. */
async function clearAway(files: FileAccess, directory: string, signal: AbortSignal | undefined): Promise<void> {
  for (const leaf of leavesOf(directory)) {
    if (!(await waitUntil(() => !isPopulated(files, leaf), LEFTOVER_WAIT_MS, signal))) {
      throw new FsError('EBUSY', `processes of an earlier life are still dying in ${leaf}; try again`);
    }
  }
  await removeUnlessPopulated(files, directory);
}

function createUnlessThere({ files }: Machine, directory: string): void {
  try {
    createCgroup(files, directory);
  } catch (error) {
    if (!(error instanceof FsError && error.errno === 'EEXIST') && systemErrno(error) !== 'EEXIST') throw error;
  }
}

/** Removes what `prepareCgroups` made, also for containers above that do not run. */
export async function discardCgroups(machine: Machine, container: Container): Promise<void> {
  const { files, log } = machine;
  try {
    for (const leaf of leavesOf(machine.cgroupOf(container))) {
      await kill(machine, leaf);
      await removeCgroup(files, leaf);
    }
    for (const made of chainOf(container).reverse()) {
      if (!isLive(made)) removeUnlessUsed(machine, machine.cgroupOf(made));
    }
  } catch (cause) {
    log.warn({ container: container.serial, err: cause }, 'cannot remove the cgroup of a start that failed');
  }
}

/** rmdir(2) of a cgroup that has others in it, or processes, is EBUSY. */
function removeUnlessUsed({ files }: Machine, directory: string): void {
  try {
    files.rmdirSync(directory);
  } catch (error) {
    const errno = systemErrno(error);
    if (errno !== 'EBUSY' && errno !== 'ENOENT' && errno !== 'ENOTEMPTY') throw error;
  }
}
