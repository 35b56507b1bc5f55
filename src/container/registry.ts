import { assertNever } from '../errno.ts';
import { ROOT_SERIAL, type Pid, type Serial } from '../ids.ts';
import { now, type Timespec } from '../time.ts';
import type { Change } from './change.ts';
import { subtree, type Container } from './container.ts';
import { EnteredIndex } from './entered-index.ts';
import { ENTERED_LIMIT, type Entered } from './entered.ts';
import { attach, fresh, ownChildren, touch } from './family.ts';
import { keepHidden, reveal } from './hiding.ts';
import { restamp } from './listing-changes.ts';
import { describe } from './snapshot.ts';

/** Containers that went by themselves and are remembered; the kernel may believe in the names of older ones. */
const VANISHED_LIMIT = 4096;

/**
 * The containers as a tree, in memory. Deterministic: the same changes in the same order make the same registry, in the
 * daemon's main thread, in the replica of the serving thread, and in the next daemon.
 */
export class Registry {
  readonly root: Container;
  readonly #bySerial = new Map<Serial, Container>();
  readonly #entered = new EnteredIndex();
  readonly #owned = new Map<number, number>();
  readonly #vanished = new Set<Serial>();
  #next = 1;
  #changes = 0;

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
    return this.#entered.byPid;
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

  /** How many changes were applied. */
  get changes(): number {
    return this.#changes;
  }

  /** Changes that make an equal registry out of an empty one. */
  *snapshot(): Generator<Change> {
    yield { op: 'next', serial: this.nextSerial };
    for (const container of subtree(this.root)) yield* describe(container);
    for (const { serial, mode, uid, gid, atime, mtime, ctime: at } of subtree(this.root)) {
      yield { op: 'attr', serial, mode, uid, gid, atime, mtime, at };
    }
    for (const { container, pid, startTime, by, begun } of this.#entered.byPid.values()) {
      yield { op: 'enter', serial: container.serial, pid, startTime, by, begun };
    }
  }

  /** The caller has checked that the change makes sense; one that names an unknown serial is ignored. */
  apply(change: Change): void {
    this.#changes += 1;
    if (change.op === 'next') {
      this.#next = Math.max(this.#next, change.serial);
      return;
    }
    if (change.op === 'make' || change.op === 'found') {
      this.#make(change);
      return;
    }
    const container = this.#bySerial.get(change.serial);
    if (!container) return;
    this.#change(container, change);
    restamp(container, change);
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
        keepHidden(container, this.#changes);
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
        Object.assign(container, { exit: undefined, error: undefined });
        reveal(container, this.#changes);
        return;
      case 'phase':
        container.phase = change.phase;
        container.changed = change.at;
        if (change.phase === 'stopped') container.init = undefined;
        keepHidden(container, this.#changes);
        return;
      case 'exit':
        container.exit = change.status;
        container.init = undefined;
        container.changed = change.at;
        keepHidden(container, this.#changes);
        return;
      case 'clear':
        container[change.what] = undefined;
        return;
      case 'error':
        container.error = change.text;
        keepHidden(container, this.#changes);
        return;
      case 'reveal':
        reveal(container, this.#changes);
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
    this.#entered.add({ container, pid, startTime, by, begun });
    for (const oldest of this.entered.values()) {
      if (this.entered.size <= ENTERED_LIMIT) return;
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
      this.#entered.forget(inner);
    }
    const { parent } = container;
    if (!parent) return;
    ownChildren(parent).delete(container.name);
    touch(parent, at);
  }
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
