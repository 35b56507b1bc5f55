import type { Serial } from '../ids.ts';
import type { NamespaceKind } from '../namespaces.ts';
import type { PinnedProcess } from '../proc/pinned.ts';
import type { Timespec } from '../time.ts';

export type { PinnedProcess } from '../proc/pinned.ts';

/**
 * Where a container is in its life. `declared`: made by mkdir, never started; it lists nothing. `stopped`: ran, and has
 * no processes any more. `removing`: its removal was begun and will be finished, also by the next daemon.
 */
export type Phase = 'declared' | 'running' | 'frozen' | 'stopped' | 'removing';

/**
 * What there is in its `.checkpoint` for everybody, and what names are there besides: `held`: a checkpoint that was asked
 * for; `arriving`: the images of an archive that is being unpacked; `ghosts`: names of an archive that mean nothing, but
 * are there for who unpacks it.
 */
export type CheckpointState = 'none' | 'held' | 'ghosts' | 'arriving';

/** What is known of a container that was not made here but seen. */
export interface Found {
  /** Its namespaces as `SetKey` has them. */
  readonly key: string;
  /** Tells it from every other there ever was since boot: see `markOf`. */
  readonly mark: string;
  /** Somebody gave it its name. */
  readonly adopted: boolean;
}

/** A container as the registry keeps it. Only `Registry.apply` changes one. */
export interface Container {
  readonly serial: Serial;
  parent: Container | undefined;
  name: string;
  children: ReadonlyMap<string, Container>;
  /** Counts the changes of `children`. */
  version: number;
  /** Permission bits, with set-gid and sticky, without the type. */
  mode: number;
  uid: number;
  gid: number;
  atime: Timespec;
  mtime: Timespec;
  ctime: Timespec;
  phase: Phase;
  /** Made by a process that was in the parent, not by somebody outside. */
  inside: boolean;
  /** Its cgroup is being moved: what stands still there was not frozen by anybody's wish. */
  moving: boolean;
  checkpoint: CheckpointState;
  /** When phase, init or exit status last changed: the time that control entries show. */
  changed: Timespec;
  init: PinnedProcess | undefined;
  /** Kinds of namespaces that are its own; before the start, those asked for, if any were. */
  kinds: readonly NamespaceKind[] | undefined;
  /** An OCI bundle that it is started from, as the link `.bundle` has it; only changed while nothing runs. */
  bundle: string | undefined;
  /** Exit status of its last init as a shell has it, 128+n for a signal. */
  exit: number | undefined;
  /** Why the last refused operation was refused: one line. */
  error: string | undefined;
  /** Of a container that was discovered; `undefined` for a declared one. */
  found: Found | undefined;
  /** How many sets of namespaces are not shown because there are too many; in the root only. */
  unshown: number;
  /** Bit `entry` is set for a control entry that was unlinked (see `hide`). */
  hidden: number;
  /** Milliseconds since the epoch of the last unlink of a control entry. */
  hiddenAt: number;
  /** `Registry.changes` when entries may last have been born hidden, and when all were last shown again. */
  stirredAt: number;
  revealedAt: number;
}

/** From the root's child down to the container itself; empty for the root. */
export function chainOf(container: Container): Container[] {
  const chain: Container[] = [];
  for (let at: Container = container; at.parent; at = at.parent) chain.push(at);
  return chain.reverse();
}

/** Path below the mount point, without a leading slash; empty for the root. */
export function pathOf(container: Container): string {
  return chainOf(container)
    .map(({ name }) => name)
    .join('/');
}

/** Whether `outer` is `inner` or above it. */
export function contains(outer: Container, inner: Container): boolean {
  for (let at: Container | undefined = inner; at; at = at.parent) if (at === outer) return true;
  return false;
}

/** The container and all below it, parents first; however deep they are. */
export function* subtree(container: Container): Generator<Container> {
  yield container;
  const levels = [container.children.values()];
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    const { value: child, done } = level.next();
    if (done === true) {
      levels.pop();
      continue;
    }
    yield child;
    levels.push(child.children.values());
  }
}

/** Whether it has, or may have, processes. */
export function isLive(container: Container): boolean {
  return container.phase === 'running' || container.phase === 'frozen';
}

/** The nearest frozen container at or above this one: freezing holds all that is below. */
export function frozenBy(container: Container): Container | undefined {
  for (let at: Container | undefined = container; at; at = at.parent) if (at.phase === 'frozen') return at;
  return undefined;
}
