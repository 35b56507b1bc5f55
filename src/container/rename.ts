import { createCgroup } from '../cgroup/cgroup.ts';
import { enableControllers } from '../cgroup/controllers.ts';
import { relocate } from '../cgroup/relocate.ts';
import { FsError } from '../errno.ts';
import { containerName, type Pid } from '../ids.ts';
import { now } from '../time.ts';
import type { Change } from './change.ts';
import { chainOf, contains, isLive, pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

export interface Destination {
  readonly parent: Container;
  readonly name: string;
  /** RENAME_NOREPLACE or RENAME_EXCHANGE (rename(2)). */
  readonly flags: number;
}

export interface Renamer {
  readonly caller: { readonly pid: Pid };
  readonly unique: number;
}

/**
 * rename(2) of a container. The kernel has checked that the caller may write both directories, and the sticky bits.
 * Nothing that runs notices a new name; under another parent the cgroup is moved while its processes stand still.
 * EEXIST, ENOTEMPTY, ENOENT, EINVAL, ENAMETOOLONG; EPERM for moving outwards from inside; EBUSY.
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
    if ((to.flags & RENAME_EXCHANGE) !== 0) await exchange(machine, container, to, request, what);
    else await move(machine, container, to, request, isEmpty, what);
  };
  const inPlace = container.parent === to.parent;
  // A new name under the same parent touches nothing that runs; it need not wait for what is under way inside.
  if (inPlace) await body();
  else await locks.hold(container, what, body);
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
    if (isLive(replaced) || !isEmpty(replaced))
      throw new FsError('ENOTEMPTY', `Cannot ${what}: "${name}" is not empty`);
  }
  requireMay(machine, container, to.parent, caller.pid, what);
  const before = pathOf(container);
  await relocateCgroup(machine, container, to.parent);
  const at = now();
  const drop: Change[] = replaced ? [{ op: 'drop', serial: replaced.serial, at }] : [];
  store.commit([...drop, { op: 'move', serial: container.serial, parent: to.parent.serial, name, at }], unique);
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
  const [before, otherBefore] = [pathOf(container), pathOf(other)];
  await relocateCgroup(machine, container, to.parent);
  try {
    await relocateCgroup(machine, other, from);
  } catch (error) {
    await relocateCgroup(machine, container, from, to.parent);
    throw error;
  }
  store.commit([{ op: 'exchange', serial: container.serial, other: other.serial, at: now() }], unique);
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

/** Moves the cgroup directory, if there is one, below that of another parent. */
async function relocateCgroup(machine: Machine, container: Container, to: Container, at?: Container): Promise<void> {
  const { files, hierarchy } = machine;
  const here = at ? `${machine.cgroupOf(at)}/${container.serial}` : machine.cgroupOf(container);
  const there = `${machine.cgroupOf(to)}/${container.serial}`;
  if (here === there || !files.existsSync(here)) return;
  for (const ancestor of chainOf(to)) {
    const directory = machine.cgroupOf(ancestor);
    if (files.existsSync(directory)) continue;
    createCgroup(files, directory);
    enableControllers(files, hierarchy, directory);
  }
  await relocate(files, here, there);
}
