import { assertNever } from '../errno.ts';
import { ROOT_SERIAL, type Pid, type Serial } from '../ids.ts';
import { now, type Timespec } from '../time.ts';
import type { Change } from './change.ts';
import { isLive, subtree, type Container, type Found } from './container.ts';
import { ENTERED_LIMIT, type Entered } from './entered.ts';

/** How long an unlinked control entry stays hidden if nothing else happens. */
export const TOMBSTONE_MS = 10_000;

const ALL_ENTRIES = -1;

/** Containers that went by themselves and are remembered; the kernel may believe in the names of older ones. */
const VANISHED_LIMIT = 4096;

/**
 * The containers as a tree, in memory. Deterministic: the same changes in the same order make the same registry, in the
 * daemon's main thread, in the replica of the serving thread, and in the next daemon.
 */
export class Registry {
  readonly root: Container;
  readonly #bySerial = new Map<Serial, Container>();
  readonly #entered = new Map<Pid, Entered>();
  readonly #owned = new Map<number, number>();
  readonly #vanished = new Set<Serial>();
  #next = 1;

  constructor(at: Timespec = now()) {
    this.root = fresh(ROOT_SERIAL, undefined, '', 0o755, 0, 0, at);
    this.root.phase = 'running';
    this.#bySerial.set(ROOT_SERIAL, this.root);
  }

  get(serial: Serial): Container | undefined {
    return this.#bySerial.get(serial);
  }

  /** Processes that entered from outside, by pid; some may be gone. */
  get entered(): ReadonlyMap<Pid, Entered> {
    return this.#entered;
  }

  /** How many containers each uid owns, discovered ones apart. */
  get owned(): ReadonlyMap<number, number> {
    return this.#owned;
  }

  /** Whether it was dropped though nobody had asked for that by its name. */
  hasVanished(serial: Serial): boolean {
    return this.#vanished.has(serial);
  }

  /** Number of containers, the root included. */
  get size(): number {
    return this.#bySerial.size;
  }

  /** The serial the next container gets; every smaller one was given, or never will be. */
  get nextSerial(): Serial {
    return this.#next as Serial;
  }

  /** Changes that make an equal registry out of an empty one. */
  *snapshot(): Generator<Change> {
    yield { op: 'next', serial: this.nextSerial };
    for (const container of subtree(this.root)) yield* describe(container);
    for (const { serial, mode, uid, gid, atime, mtime, ctime: at } of subtree(this.root)) {
      yield { op: 'attr', serial, mode, uid, gid, atime, mtime, at };
    }
    for (const { container, pid, startTime, by, begun } of this.#entered.values()) {
      yield { op: 'enter', serial: container.serial, pid, startTime, by, begun };
    }
  }

  /** The caller has checked that the change makes sense; one that names an unknown serial is ignored. */
  apply(change: Change): void {
    if (change.op === 'next') {
      this.#next = Math.max(this.#next, change.serial);
      return;
    }
    if (change.op === 'make' || change.op === 'found') {
      this.#make(change);
      return;
    }
    const container = this.#bySerial.get(change.serial);
    if (container) this.#change(container, change);
  }

  #make(change: Change & { op: 'make' | 'found' }): void {
    const parent = this.#bySerial.get(change.parent);
    if (!parent) return;
    const made = fresh(change.serial, parent, change.name, change.mode, change.uid, change.gid, change.at);
    if (change.op === 'found') discover(made, change);
    else made.inside = change.inside ?? false;
    this.#count(made, 1);
    this.#bySerial.set(change.serial, made);
    this.#next = Math.max(this.#next, change.serial + 1);
    ownChildren(parent).set(change.name, made);
    touch(parent, change.at);
  }

  #change(container: Container, change: Exclude<Change, { op: 'make' | 'found' | 'next' }>): void {
    switch (change.op) {
      case 'move':
        this.#move(container, change);
        return;
      case 'exchange':
        this.#exchange(container, change);
        return;
      case 'lost':
        this.#drop(container, change.at);
        return;
      case 'drop':
        if (change.parent !== undefined) this.#vanish(container);
        this.#drop(container, change.at);
        return;
      case 'attr':
        container.mode = change.mode ?? container.mode;
        this.#count(container, -1);
        container.uid = change.uid ?? container.uid;
        this.#count(container, 1);
        container.gid = change.gid ?? container.gid;
        container.atime = change.atime ?? container.atime;
        container.mtime = change.mtime ?? container.mtime;
        container.ctime = change.at;
        return;
      case 'pin':
        if (container.found) container.found = { ...container.found, key: change.key, mark: change.mark };
        Object.assign(container, { phase: 'running', init: change.init, changed: change.at });
        keepHidden(container);
        return;
      case 'unshown':
        container.unshown = change.count;
        return;
      case 'moving':
        container.moving = change.moving;
        return;
      case 'checkpoint':
        container.checkpoint = change.is;
        return;
      case 'want':
        container.kinds = change.kinds;
        return;
      case 'bundle':
        container.bundle = change.bundle;
        container.changed = change.at;
        return;
      case 'start':
        Object.assign(container, { phase: 'running', init: change.init, kinds: change.kinds, changed: change.at });
        Object.assign(container, { exit: undefined, error: undefined, hidden: 0 });
        return;
      case 'phase':
        container.phase = change.phase;
        container.changed = change.at;
        if (change.phase === 'stopped') container.init = undefined;
        keepHidden(container);
        return;
      case 'exit':
        container.exit = change.status;
        container.init = undefined;
        container.changed = change.at;
        keepHidden(container);
        return;
      case 'clear':
        container[change.what] = undefined;
        return;
      case 'error':
        container.error = change.text;
        keepHidden(container);
        return;
      case 'reveal':
        container.hidden = 0;
        return;
      case 'enter':
        this.#enter(container, change);
        return;
      case 'leave':
        this.#entered.delete(change.pid);
        return;
      default:
        assertNever(change);
    }
  }

  #count({ uid, found, parent }: Container, by: 1 | -1): void {
    if (found || !parent) return;
    const left = (this.#owned.get(uid) ?? 0) + by;
    if (left > 0) this.#owned.set(uid, left);
    else this.#owned.delete(uid);
  }

  #move(container: Container, change: Change & { op: 'move' }): void {
    const parent = this.#bySerial.get(change.parent);
    const from = container.parent;
    if (!parent || !from) return;
    ownChildren(from).delete(container.name);
    touch(from, change.at);
    adopt(container);
    attach(container, parent, change.name, change.at);
  }

  #exchange(container: Container, change: Change & { op: 'exchange' }): void {
    const other = this.#bySerial.get(change.other);
    const [here, there] = [container.parent, other?.parent];
    if (!other || !here || !there) return;
    const [name, otherName] = [container.name, other.name];
    for (const each of [container, other]) adopt(each);
    attach(container, there, otherName, change.at);
    attach(other, here, name, change.at);
  }

  #enter(container: Container, { pid, startTime, by, begun = false }: Change & { op: 'enter' }): void {
    this.#entered.delete(pid);
    this.#entered.set(pid, { container, pid, startTime, by, begun });
    for (const oldest of this.#entered.values()) {
      if (this.#entered.size <= ENTERED_LIMIT) return;
      if (oldest.by !== 'state') this.#entered.delete(oldest.pid);
    }
  }

  #vanish(container: Container): void {
    for (const { serial } of subtree(container)) this.#vanished.add(serial);
    for (const oldest of this.#vanished) {
      if (this.#vanished.size <= VANISHED_LIMIT) return;
      this.#vanished.delete(oldest);
    }
  }

  #drop(container: Container, at: Timespec): void {
    for (const inner of subtree(container)) {
      this.#bySerial.delete(inner.serial);
      this.#count(inner, -1);
      for (const entered of this.#entered.values()) {
        if (entered.container === inner) this.#entered.delete(entered.pid);
      }
    }
    const { parent } = container;
    if (!parent) return;
    ownChildren(parent).delete(container.name);
    touch(parent, at);
  }
}

/** The entries of `bits` do not resolve until {@link TOMBSTONE_MS} after `atMs`, or until the container starts or is written to. */
export function hide(container: Container, bits: number, atMs: number): void {
  container.hidden = hiddenNow(container, atMs) | bits;
  container.hiddenAt = atMs;
}

/** Bits of the entries that are hidden at this moment. */
export function hiddenNow(container: Container, atMs: number): number {
  return container.hidden !== 0 && atMs - container.hiddenAt < TOMBSTONE_MS ? container.hidden : 0;
}

/**
 * Whether a container that is being removed, and was while it ran, has only children that processes in it made since: a
 * removal that lists first and unlinks afterwards cannot know those, and they die with it.
 */
export function hasOnlyLateChildren(container: Container, atMs: number): boolean {
  if (hiddenNow(container, atMs) === 0 || !isLive(container)) return false;
  const [, ...inner] = subtree(container);
  const begun = container.hiddenAt - TOMBSTONE_MS;
  return inner.every(({ inside, changed }) => inside && changed.sec * 1000 + changed.nsec / 1e6 >= begun);
}

/** Something happened to a container whose entries are being unlinked: what appears now is born hidden, or `rm -rf` would fail. */
function keepHidden(container: Container): void {
  if (container.hidden !== 0) container.hidden = ALL_ENTRIES;
}

/** Most containers have none: they share one empty map. */
const NO_CHILDREN: ReadonlyMap<string, Container> = new Map();

/** The children's map to be changed. */
function ownChildren(container: Container): Map<string, Container> {
  if (container.children === NO_CHILDREN) container.children = new Map();
  return container.children as Map<string, Container>;
}

/** Who is renamed keeps that name. */
function adopt(container: Container): void {
  if (container.found && !container.found.adopted) container.found = { ...container.found, adopted: true };
}

/** It was running when it was seen. Whoever removes what is above it cannot have known of it. */
function discover(made: Container, { key, mark, adopted, init, kinds }: Change & { op: 'found' }): void {
  const found = { key, mark, adopted: adopted ?? false };
  Object.assign(made, { found, init, kinds, phase: 'running', inside: true });
}

function attach(container: Container, parent: Container, name: string, at: Timespec): void {
  container.parent = parent;
  container.name = name;
  container.moving = false;
  container.ctime = at;
  ownChildren(parent).set(name, container);
  touch(parent, at);
}

function touch(directory: Container, at: Timespec): void {
  directory.mtime = at;
  directory.ctime = at;
  directory.version += 1;
}

function fresh(
  serial: Serial,
  parent: Container | undefined,
  name: string,
  mode: number,
  uid: number,
  gid: number,
  at: Timespec,
): Container {
  return {
    serial,
    parent,
    name,
    children: NO_CHILDREN,
    version: 0,
    mode,
    uid,
    gid,
    atime: at,
    mtime: at,
    ctime: at,
    phase: 'declared',
    inside: false,
    moving: false,
    checkpoint: 'none',
    changed: at,
    init: undefined,
    kinds: undefined,
    bundle: undefined,
    exit: undefined,
    error: undefined,
    found: undefined,
    unshown: 0,
    hidden: 0,
    hiddenAt: 0,
  };
}

/** Changes that make this container, its children apart, as it is; but for its file times, which children's `make` would touch. */
function* describe(container: Container): Generator<Change> {
  const { serial, parent, name, mode, uid, gid, phase, init, kinds, changed: at } = container;
  const inside = container.inside ? { inside: true } : {};
  if (parent && container.found) yield* describeFound(container, container.found, parent);
  else if (parent) yield { op: 'make', serial, parent: parent.serial, name, mode, uid, gid, ...inside, at };
  if (container.bundle !== undefined) yield { op: 'bundle', serial, bundle: container.bundle, at };
  if (init && !container.found) yield { op: 'start', serial, init, kinds: kinds ?? [], at };
  else if (kinds && !container.found) yield { op: 'want', serial, kinds };
  if (phase !== 'declared') yield { op: 'phase', serial, phase, at };
  if (container.unshown > 0) yield { op: 'unshown', serial, count: container.unshown };
  if (container.moving) yield { op: 'moving', serial, moving: true };
  if (container.checkpoint !== 'none') yield { op: 'checkpoint', serial, is: container.checkpoint };
  if (container.exit !== undefined) yield { op: 'exit', serial, status: container.exit, at };
  if (container.error !== undefined) yield { op: 'error', serial, text: container.error, at };
}

function* describeFound(
  { serial, name, mode, uid, gid, init, kinds, changed: at }: Container,
  found: Found,
  parent: Container,
): Generator<Change> {
  const node = { serial, parent: parent.serial, name, mode, uid, gid };
  const known = init ? { init } : {};
  yield { op: 'found', ...node, ...found, ...known, kinds: kinds ?? [], at };
}
