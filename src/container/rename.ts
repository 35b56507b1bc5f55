import { createCgroup } from '../cgroup/cgroup.ts';
import { enableControllers } from '../cgroup/controllers.ts';
import { relocate } from '../cgroup/relocate.ts';
import { FsError } from '../errno.ts';
import { containerName, type Pid } from '../ids.ts';
import { readCgroups } from '../proc/scan.ts';
import { now } from '../time.ts';
import type { Change } from './change.ts';
import { chainOf, contains, isLive, pathOf, subtree, type Container } from './container.ts';
import { whereabouts } from './events.ts';
import type { Machine } from './machine.ts';
import { heightOf, refuseDeeper } from './quota.ts';
import { requireThere } from './still-there.ts';

export const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

export interface Destination {
  readonly parent: Container;
  readonly name: string;
  /** RENAME_NOREPLACE or RENAME_EXCHANGE (rename(2)). */
  readonly flags: number;
}

export interface Renamer {
  readonly caller: { readonly pid: Pid; readonly uid: number };
  readonly unique: number;
}

/**
 * rename(2) of a container. The kernel has checked that the caller may write both directories, and the sticky bits.
 * Nothing that runs notices a new name; under another parent the cgroup is moved while its processes stand still.
 * EEXIST, ENOTEMPTY, ENOENT, EINVAL, ENAMETOOLONG; EPERM for moving outwards from inside; EBUSY; EDQUOT.
 */
export async function rename(
  machine: Machine,
  container: Container,
  to: Destination,
  request: Renamer,
  isEmpty: (replaced: Container) => boolean,
): Promise<void> {
  const { locks } = machine;
  const what = `rename "${pathOf(container)}"`;
  if ((to.flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0 || to.flags === 3) {
    throw new FsError('EINVAL', `Cannot ${what} with flags ${to.flags}`);
  }
  const body = async () => {
    for (const one of [container, to.parent]) requireThere(machine, one, what);
    if ((to.flags & RENAME_EXCHANGE) !== 0) await exchange(machine, container, to, request, what);
    else await move(machine, container, to, request, isEmpty, what);
  };
  const lines = linesOf(container, to);
  if (lines.length === 0) await body();
  else await locks.hold(lines, what, body);
}

/**
 * Whom nobody else may work on meanwhile. A new name under the same parent touches nothing that runs, and need not wait for
 * what is under way inside; but what is replaced may be starting at this moment.
 */
function linesOf(container: Container, to: Destination): Container[] {
  const there = to.parent.children.get(to.name);
  const others = there && there !== container ? [there] : [];
  if (container.parent === to.parent) return (to.flags & RENAME_EXCHANGE) === 0 ? others : [];
  return [container, ...others, ...(to.parent.parent ? [to.parent] : [])];
}

async function move(
  machine: Machine,
  container: Container,
  to: Destination,
  { caller, unique }: Renamer,
  isEmpty: (replaced: Container) => boolean,
  what: string,
): Promise<void> {
  const { store, events } = machine;
  const name = containerName(to.name);
  const replaced = to.parent.children.get(name);
  if (replaced === container) return;
  if (contains(container, to.parent)) throw new FsError('EINVAL', `Cannot ${what} into itself`);
  if (replaced) {
    if ((to.flags & RENAME_NOREPLACE) !== 0) throw new FsError('EEXIST', `Cannot ${what}: "${name}" is there already`);
    // Nobody is killed by being replaced, those who were discovered meanwhile neither.
    if (isLive(replaced) || replaced.children.size > 0 || !isEmpty(replaced))
      throw new FsError('ENOTEMPTY', `Cannot ${what}: "${name}" is not empty`);
  }
  requireMay(machine, container, to.parent, caller.pid, what);
  requireHeld(machine, container, to.parent, what);
  if (container.parent !== to.parent) refuseDeeper(machine, to.parent, caller.uid, heightOf(container), what);
  const before = whereabouts(container);
  await relocating(machine, [[container, to.parent]], () => {
    const at = now();
    const drop: Change[] = replaced ? [{ op: 'drop', serial: replaced.serial, at }] : [];
    store.commit([...drop, { op: 'move', serial: container.serial, parent: to.parent.serial, name, at }], unique);
  });
  if (replaced) events.emit(replaced, 'removed');
  events.emit(container, 'renamed', before);
}

async function exchange(
  machine: Machine,
  container: Container,
  to: Destination,
  { caller, unique }: Renamer,
  what: string,
): Promise<void> {
  const { store, events } = machine;
  const other = to.parent.children.get(to.name);
  const from = container.parent;
  if (!other || !from) throw new FsError('ENOENT', `Cannot ${what}: there is no "${to.name}" to exchange it with`);
  if (other === container) return;
  if (contains(container, other) || contains(other, container)) {
    throw new FsError('EINVAL', `Cannot ${what}: one of the two is inside the other`);
  }
  requireMay(machine, container, to.parent, caller.pid, what);
  requireMay(machine, other, from, caller.pid, what);
  requireHeld(machine, container, to.parent, what);
  requireHeld(machine, other, from, what);
  refuseDeeper(machine, to.parent, caller.uid, heightOf(container), what);
  refuseDeeper(machine, from, caller.uid, heightOf(other), what);
  const [before, otherBefore] = [whereabouts(container), whereabouts(other)];
  const moves = [[container, to.parent] as const, [other, from] as const];
  await relocating(machine, moves, () => {
    store.commit([{ op: 'exchange', serial: container.serial, other: other.serial, at: now() }], unique);
  });
  events.emit(container, 'renamed', before);
  events.emit(other, 'renamed', otherBefore);
}

/** Deeper is free. Outwards, only a caller who is himself in a container that holds both places: nobody pulls himself out. */
function requireMay(machine: Machine, container: Container, parent: Container, caller: Pid, what: string): void {
  const from = container.parent;
  if (!from || contains(from, parent)) return;
  const own = machine.containerOf(caller);
  if (own && contains(own, from) && contains(own, parent)) return;
  throw new FsError('EPERM', `Cannot ${what} outwards: the caller is not in a container that holds both places`);
}

/** A discovered container whose processes are in a declared one's cgroup dies with that one: it stays in it. EBUSY. */
function requireHeld(machine: Machine, container: Container, parent: Container, what: string): void {
  for (const { found, init } of subtree(container)) {
    if (!found || !init) continue;
    const declared = machine.declaredOf(readCgroups(machine.files, init.pid));
    if (contains(declared, parent) || contains(container, declared)) continue;
    throw new FsError(
      'EBUSY',
      `Cannot ${what}: its processes are in the cgroup of "${pathOf(declared)}", and stay there`,
    );
  }
}

/**
 * Moves the cgroups of containers below those of other parents, as far as they have any, and then does `commit`. If
 * anything fails, all are back where they were. That they are being moved is written down first: a daemon that dies
 * meanwhile leaves them frozen.
 */
async function relocating(
  machine: Machine,
  moves: readonly (readonly [container: Container, to: Container])[],
  commit: () => void,
): Promise<void> {
  const { store, files } = machine;
  const moved = moves.filter(
    ([container, to]) => container.parent !== to && files.existsSync(machine.cgroupOf(container)),
  );
  const mark = (moving: boolean) => {
    if (moved.length > 0) store.commit(moved.map(([{ serial }]) => ({ op: 'moving', serial, moving })));
  };
  mark(true);
  const done: [string, string, Container][] = [];
  try {
    for (const [container, to] of moved) {
      const [here, there] = [machine.cgroupOf(container), `${machine.cgroupOf(to)}/${container.serial}`];
      await relocateCgroup(machine, here, there, to);
      if (container.parent) done.unshift([there, here, container.parent]);
    }
    commit();
  } catch (error) {
    for (const [there, here, parent] of done) await relocateCgroup(machine, there, here, parent);
    unlessNoRoom(() => {
      mark(false);
    });
    throw error;
  }
}

/** The mark that stays makes the next daemon look, no more. */
function unlessNoRoom(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
  }
}

/** Moves one cgroup directory to below that of `to`. */
async function relocateCgroup(machine: Machine, here: string, there: string, to: Container): Promise<void> {
  const { files, hierarchy } = machine;
  for (const ancestor of chainOf(to)) {
    const directory = machine.cgroupOf(ancestor);
    if (files.existsSync(directory)) continue;
    createCgroup(files, directory);
    enableControllers(files, hierarchy, directory);
  }
  await relocate(files, here, there);
}
