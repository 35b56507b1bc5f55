import { hasOnlyLateChildren, hiddenNow } from '../container/hiding.ts';
import type { Registry } from '../container/registry.ts';
import { isLive, type Container } from '../container/container.ts';
import { FsError } from '../errno.ts';
import { NAME_MAX_BYTES, ROOT_SERIAL } from '../ids.ts';
import { checkpoint, isKept } from './control/checkpoint.ts';
import type { ControlEntry } from './control/entry.ts';
import { entriesOf, entryNamed, entryNumbered, isSubdirectory } from './control/table.ts';
import { FIRST_COOKIE, S_IFDIR, S_IFMT, type Attr, type DirEntry, type Entry, type Statfs } from './filesystem.ts';
import { DIRECTORY_ENTRY, directoryId, entryOf, nodeId, serialOf, type NodeId } from './node-id.ts';

/** What an id means now. `control` is absent for a container's own directory. */
export interface Node {
  readonly container: Container;
  readonly control: ControlEntry | undefined;
}

/** A place in the tree that has names in it: a container's directory, or `within`, a directory there. */
export interface Directory {
  readonly container: Container;
  readonly within: ControlEntry | undefined;
}

/** Cookies of a listing: `.checkpoint`, then children by serial, so that they stay right when others come and go; control entries behind. */
const CHECKPOINT_COOKIE = FIRST_COOKIE + ROOT_SERIAL;
const FIRST_CONTROL_COOKIE = 2 ** 40;

/** tmpfs's directory sizes (mm/shmem.c: BOGO_DIRENT_SIZE, and two of them for an empty one). */
const DIRENT_BYTES = 20;
const EMPTY_DIRECTORY_BYTES = 40;

/** What the registry alone answers, without waiting: shared by the serving thread's replica and the main thread. */
export class View {
  readonly registry: Registry;
  readonly #sorted = new WeakMap<Container, { children: Container[]; version: number }>();

  constructor(registry: Registry) {
    this.registry = registry;
  }

  /** Throws ENOENT for an id whose container is gone. */
  node(id: NodeId): Node {
    const container = this.registry.get(serialOf(id));
    if (!container) throw new FsError('ENOENT', 'this container was removed');
    return { container, control: this.controlOf(id) };
  }

  /** The row of a control entry's id; `undefined` for a container's own directory. Throws ENOENT for an unknown one. */
  controlOf(id: NodeId): ControlEntry | undefined {
    const entry = entryOf(id);
    if (entry === DIRECTORY_ENTRY) return undefined;
    const control = entryNumbered(entry);
    if (!control) throw new FsError('ENOENT', 'there is no such control entry');
    return control;
  }

  /** Whether it is the `.events` of a container that was removed. */
  isGoneStream(id: NodeId): boolean {
    return !this.registry.get(serialOf(id)) && entryNumbered(entryOf(id))?.stream === true;
  }

  /** Throws ENOENT or ENOTDIR. */
  directory(id: NodeId): Directory {
    const { container, control } = this.node(id);
    if (control && !isSubdirectory(control)) throw new FsError('ENOTDIR', `${control.name} is not a directory`);
    return { container, within: control };
  }

  /**
   * Whether a control entry resolves: it has something to say and was not unlinked. A `.checkpoint` is not unlinked, and what
   * is saved by it must not depend on what was done to other entries.
   */
  resolves(container: Container, control: ControlEntry): boolean {
    if (!control.present(container)) return false;
    return (
      control === checkpoint ||
      container.hidden === 0 ||
      (hiddenNow(container, Date.now()) & (1 << control.entry)) === 0
    );
  }

  /** The control entry of this name if it resolves there. */
  control(directory: Directory, name: string): ControlEntry | undefined {
    const control = entryNamed(name, directory.within);
    return control && this.resolves(directory.container, control) ? control : undefined;
  }

  /** Throws ENOENT, and what `find` throws. */
  lookup(parent: NodeId, name: string): Entry {
    const entry = this.find(parent, name);
    if (!entry) throw new FsError('ENOENT', `there is no ${JSON.stringify(name)}`);
    return entry;
  }

  /**
   * `undefined` if there is no such name. Throws ENAMETOOLONG, and what `directory` throws. A control file's size is not known
   * here: its attributes are never cached.
   */
  find(parent: NodeId, name: string): Entry | undefined {
    const directory = this.directory(parent);
    checkLength(name);
    const child = directory.within ? undefined : directory.container.children.get(name);
    if (child) return childEntry(child);
    const control = this.control(directory, name);
    return control && controlListing(directory.container, control);
  }

  /**
   * Attributes of what was removed while somebody holds it open, as tmpfs has them: the kernel takes a node whose type
   * changes for broken. Throws ESTALE for one that went by itself: the kernel may still have its name, and then looks it up
   * again.
   */
  removedAttr(id: NodeId, size = 0): Attr {
    const { root } = this.registry;
    const control = this.controlOf(id);
    if (!control && this.registry.hasVanished(serialOf(id)))
      throw new FsError('ESTALE', 'this container ended by itself');
    const mode = control ? control.mode(root) : S_IFDIR | 0o755;
    return { ...directoryAttr(root), id, mode, nlink: 0, size, cacheable: false };
  }

  /** `asArchiver`: for who saves what is listed. */
  *readdir(id: NodeId, cookie: number, asArchiver = false): Generator<DirEntry> {
    const { container, within } = this.directory(id);
    // Who unlinks a container's entries is about to remove it: the links of `.ns` need not be unlinked one by one.
    if (within && container.hidden !== 0 && hiddenNow(container, Date.now()) !== 0) return;
    // First, so that who archives a tree looks at it before it goes down into the children: they are saved together.
    // Others who unlinked entries are about to remove all, and may look whether anything is left.
    const isShown = asArchiver || isKept(container) || hiddenNow(container, Date.now()) === 0;
    if (!within && cookie < CHECKPOINT_COOKIE && isShown && this.resolves(container, checkpoint)) {
      yield { name: checkpoint.name, cookie: CHECKPOINT_COOKIE, entry: controlListing(container, checkpoint) };
    }
    if (!within) yield* this.#children(container, cookie);
    for (const [index, control] of entriesOf(within).entries()) {
      const next = FIRST_CONTROL_COOKIE + index;
      if (next <= cookie || control === checkpoint) continue;
      if (!this.resolves(container, control) || control.listed?.(container) === false) continue;
      yield { name: control.name, cookie: next, entry: controlListing(container, control) };
    }
  }

  /**
   * Whether rmdir may have it, and rename replace it: nothing is listed in it but reports of what went wrong, and an empty
   * `.checkpoint`; or of how it ended, where it ends because somebody is removing it.
   */
  isEmpty(container: Container): boolean {
    return this.leftIn(container) === undefined;
  }

  /** The name for which it is not empty. */
  leftIn(container: Container): string | undefined {
    const isGoing = hiddenNow(container, Date.now()) !== 0;
    const [child] = container.children.keys();
    if (child !== undefined && !hasOnlyLateChildren(container, Date.now())) return child;
    return entriesOf(undefined).find(
      (control) =>
        control.report !== 'error' &&
        (control !== checkpoint || isKept(container)) &&
        !(isGoing && control.report === 'exit') &&
        control.listed?.(container) !== false &&
        this.resolves(container, control),
    )?.name;
  }

  statfs(): Statfs {
    const filesFree = 2 ** 29 - this.registry.nextSerial;
    const files = this.registry.size + filesFree;
    return { blockSize: 4096, blocks: 0, blocksFree: 0, files, filesFree, nameMax: NAME_MAX_BYTES };
  }

  *#children(container: Container, cookie: number): Generator<DirEntry> {
    if (cookie >= FIRST_CONTROL_COOKIE) return;
    const children = this.#bySerial(container);
    for (let at = firstBehind(children, cookie - FIRST_COOKIE); at < children.length; at++) {
      const child = children[at];
      if (child?.parent !== container) continue;
      yield { name: child.name, cookie: FIRST_COOKIE + child.serial, entry: childEntry(child) };
    }
  }

  #bySerial(container: Container): Container[] {
    const known = this.#sorted.get(container);
    if (known?.version === container.version) return known.children;
    const children = [...container.children.values()].sort((a, b) => a.serial - b.serial);
    this.#sorted.set(container, { children, version: container.version });
    return children;
  }
}

/** Whether entries of what runs were unlinked: an archiver is listed its `.checkpoint` all the same, others are not. */
export function hasUnlinked(container: Container): boolean {
  return container.hidden !== 0 && isLive(container) && hiddenNow(container, Date.now()) !== 0;
}

/** Throws ENAMETOOLONG. */
export function checkLength(name: string): void {
  if (name.length * 3 > NAME_MAX_BYTES && Buffer.byteLength(name) > NAME_MAX_BYTES) {
    throw new FsError('ENAMETOOLONG', `a name has at most ${NAME_MAX_BYTES} bytes`);
  }
}

/** A discovered container goes by itself: the kernel must ask for it by name each time. */
function childEntry(child: Container): Entry {
  return child.found
    ? { attr: directoryAttr(child), cacheable: false, fleeting: true }
    : { attr: directoryAttr(child), cacheable: true };
}

export function directoryAttr(container: Container): Attr {
  const { serial, uid, gid, atime, mtime, ctime, children } = container;
  return {
    id: directoryId(serial),
    mode: S_IFDIR | container.mode,
    nlink: 2 + children.size,
    uid,
    gid,
    size: EMPTY_DIRECTORY_BYTES + DIRENT_BYTES * children.size,
    atime,
    mtime,
    ctime,
    cacheable: true,
  };
}

export function controlAttr(container: Container, control: ControlEntry, size: number, nlink?: number): Attr {
  const { serial, uid, gid, changed } = container;
  const mode = control.mode(container);
  const isDirectory = (mode & S_IFMT) === S_IFDIR;
  const links = nlink ?? (isDirectory ? 2 : 1);
  const id = nodeId(serial, control.entry);
  // Written out: this is on the way of every request, and a spread is slower than all the rest of it.
  return {
    id,
    mode,
    nlink: links,
    uid,
    gid,
    size,
    atime: changed,
    mtime: changed,
    ctime: changed,
    cacheable: isDirectory,
  };
}

/** A control entry as a name's answer: the kernel may keep it for a second, or not at all. */
function controlListing(container: Container, control: ControlEntry): Entry {
  const isHaunted = container.checkpoint === 'ghosts' || container.checkpoint === 'arriving';
  const fleeting = control.fleeting || isHaunted ? { fleeting: true } : {};
  return { attr: controlAttr(container, control, 0), cacheable: false, ...fleeting };
}

/** Index of the first child whose serial is above `serial`. */
function firstBehind(children: readonly Container[], serial: number): number {
  let [low, high] = [0, children.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((children[middle]?.serial ?? 0) > serial) high = middle;
    else low = middle + 1;
  }
  return low;
}
