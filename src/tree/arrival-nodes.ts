import type { Container } from '../container/container.ts';
import { FsError } from '../errno.ts';
import type { FileAccess } from '../files.ts';
import type { Arrivals } from './arrivals.ts';
import { fleetingEntry } from './checkpoint-attr.ts';
import { ARRIVAL_SLOT, GHOST_SLOT, indexOf, slotOf } from './checkpoint-id.ts';
import { state } from './control/state.ts';
import { entryNamed } from './control/table.ts';
import {
  O_ACCMODE,
  O_TRUNC,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Attr,
  type AttrChanges,
  type Created,
  type Entry,
  type Opened,
  type Place,
  type Request,
} from './filesystem.ts';
import { changeGhost, ghostAttr, type Ghost, type Haunting } from './haunting.ts';
import type { NodeId } from './node-id.ts';
import type { NumberedFile } from './take-nodes.ts';
import { checkLength } from './view.ts';

/** Bytes of `.state` that are looked at. */
const STATE_BYTES = 64;

/** The nodes of archives that are being unpacked: images, which go to disk, and other names, which mean nothing. */
export class ArrivalNodes {
  readonly #arrivals: Arrivals;
  readonly #files: FileAccess;

  constructor(arrivals: Arrivals, files: FileAccess) {
    this.#arrivals = arrivals;
    this.#files = files;
  }

  getattr(id: NodeId): Attr {
    const haunting = this.#arrivals.of(id);
    return isGhost(id) ? ghostAttr(haunting.ghost(id)) : this.#arrivals.attr(haunting, id);
  }

  async setattr(id: NodeId, changes: AttrChanges): Promise<Attr> {
    const haunting = this.#arrivals.of(id);
    haunting.written();
    if (isGhost(id)) changeGhost(haunting.ghost(id), changes);
    else {
      const name = haunting.fileNames.get(indexOf(id));
      if (changes.size !== undefined && haunting.restored)
        throw new FsError('EBUSY', 'the container is being restored');
      if (changes.size !== undefined && name !== undefined) await haunting.gathering?.truncate(name, changes.size);
    }
    return this.getattr(id);
  }

  async readlink(request: Request, id: NodeId): Promise<string> {
    await this.#refuseDone(request, id);
    return this.#arrivals.of(id).ghost(id).target ?? '';
  }

  list(id: NodeId): NumberedFile[] {
    const haunting = this.#arrivals.of(id);
    if (isGhost(id)) {
      return haunting.in(id).map((ghost) => ({ number: indexOf(ghost.id), name: ghost.name, attr: ghostAttr(ghost) }));
    }
    const names = haunting.gathering?.names ?? [];
    return names.map((name) => {
      const fileId = this.#arrivals.fileId(haunting, name);
      return { number: indexOf(fileId), name, attr: this.#arrivals.attr(haunting, fileId) };
    });
  }

  /** A name in a directory of an archive. Among images there are regular files only, and those are created: EPERM. */
  make(request: Request, parent: NodeId, name: string, mode: number, target?: string): Entry {
    if (!isGhost(parent)) throw new FsError('EPERM', 'a checkpoint has regular files only');
    return this.makeIn(request, this.#arrivals.of(parent), parent, name, mode, target);
  }

  makeIn({ caller }: Request, haunting: Haunting, parent: NodeId, name: string, mode: number, target?: string): Entry {
    checkLength(name);
    return fleetingEntry(ghostAttr(haunting.make(parent, name, mode, caller, target)));
  }

  async create(
    request: Request,
    { parent, name }: Place,
    mode: number,
    flags: number,
    handle: number,
  ): Promise<Created> {
    if (isGhost(parent))
      return this.createIn(request, this.#arrivals.of(parent), { parent, name }, mode, flags, handle);
    checkLength(name);
    const haunting = this.#arrivals.of(parent);
    const opened = await this.#arrivals.open(request, haunting, name, { handle, truncate: (flags & O_TRUNC) !== 0 });
    const attr = this.#arrivals.attr(haunting, this.#arrivals.fileId(haunting, name));
    return { ...opened, entry: fleetingEntry(attr) };
  }

  /** Opens a name that means nothing, made if it is not there: who does not unpack does not see that it is. */
  createIn(
    request: Request,
    haunting: Haunting,
    { parent, name }: Place,
    mode: number,
    flags: number,
    handle: number,
  ): Created {
    const known = haunting.named(parent, name);
    if (known && (flags & O_TRUNC) !== 0) changeGhost(known, { size: 0 });
    const entry = known
      ? fleetingEntry(ghostAttr(known))
      : this.makeIn(request, haunting, parent, name, S_IFREG | (mode & ~S_IFMT));
    return { handle, noFlush: false, entry };
  }

  async unlink(parent: NodeId, name: string): Promise<void> {
    const { gathering, fileNames } = this.#arrivals.of(parent);
    if (gathering?.sizeOf(name) === undefined) throw new FsError('ENOENT', `there is no ${name}`);
    // Another one of that name is another file: who has this one open writes to this one.
    for (const [number, other] of fileNames) if (other === name) fileNames.delete(number);
    await gathering.remove(name);
  }

  async rename(request: Request, haunting: Haunting, from: Place, to: Place, ghost: Ghost | undefined): Promise<void> {
    if (from.parent !== to.parent) throw new FsError('EPERM', 'what arrives keeps its directory');
    if (ghost) {
      const replaced = haunting.named(to.parent, to.name);
      if (replaced) haunting.remove(replaced);
      ghost.name = to.name;
      await this.#arrivals.keepState(haunting);
    } else {
      await haunting.gathering?.rename(from.name, to.name);
      for (const [number, name] of haunting.fileNames) {
        if (name === to.name) haunting.fileNames.delete(number);
        if (name === from.name) haunting.fileNames.set(number, to.name);
      }
    }
    await this.#arrivals.restoreIfComplete(request, haunting);
  }

  async open(request: Request, id: NodeId, flags: number, handle: number): Promise<Opened> {
    const haunting = this.#arrivals.of(id);
    const empties = (flags & O_TRUNC) !== 0;
    if (isGhost(id)) {
      if ((flags & O_ACCMODE) === 0) await this.#refuseDone(request, id);
      if (empties) changeGhost(haunting.ghost(id), { size: 0 });
      return { handle, noFlush: (flags & O_ACCMODE) === 0 };
    }
    const name = haunting.fileNames.get(indexOf(id));
    if (name === undefined) throw new FsError('ENOENT', 'this image is gone');
    if ((flags & O_ACCMODE) === 0) throw new FsError('EACCES', 'images that arrive are not read; they are restored');
    return await this.#arrivals.open(request, haunting, name, { handle, truncate: empties });
  }

  read(id: NodeId, offset: number, size: number): Uint8Array {
    return isGhost(id)
      ? Buffer.from(this.#arrivals.of(id).ghost(id).text).subarray(offset, offset + size)
      : Buffer.alloc(0);
  }

  async write(request: Request, id: NodeId, handle: number, offset: number, data: Uint8Array): Promise<void> {
    if (!isGhost(id)) {
      await this.#arrivals.write(handle, data, offset);
      return;
    }
    const haunting = this.#arrivals.of(id);
    const ghost = haunting.ghost(id);
    haunting.written();
    ghost.size = Math.max(ghost.size, offset + data.length);
    if (offset === 0) ghost.text = Buffer.from(data.subarray(0, STATE_BYTES)).toString('utf8');
    if (ghost.name === state.name) await this.#arrivals.keepState(haunting);
    // A command: the shell that gives it does not look at what close says.
    if (ghost.name === state.name && this.#isCommand(request, haunting)) {
      await this.#arrivals.restoreIfComplete(request, haunting, true);
    }
  }

  async flush(request: Request, id: NodeId, handle: number): Promise<void> {
    if (!isGhost(id)) {
      await this.#arrivals.flush(request, handle);
      return;
    }
    // Who gave the command by which it was restored closes `.state` when all who unpacked may have ended.
    if (this.#arrivals.isOver(id)) return;
    const haunting = this.#arrivals.of(id);
    const isWord = haunting.ghost(id).name === state.name && !this.#isCommand(request, haunting);
    if (isWord) await this.#arrivals.restoreIfComplete(request, haunting);
  }

  async release(handle: number): Promise<void> {
    await this.#arrivals.release(handle);
  }

  /** Throws ESTALE, upon which the kernel looks the name up again, for who has done with unpacking (open(2), path_lookup). */
  async #refuseDone(request: Request, id: NodeId): Promise<void> {
    if (await this.#arrivals.isDone(request, this.#arrivals.of(id), true)) {
      throw new FsError('ESTALE', 'the container was restored, and is to be seen now');
    }
  }

  /** Whether what arrives is written by somebody else than who unpacks it. */
  #isCommand({ caller }: Request, haunting: Haunting): boolean {
    return !haunting.isUnpacker(this.#files, caller.pid);
  }
}

export function isArriving(id: NodeId): boolean {
  const slot = slotOf(id);
  return slot === GHOST_SLOT || slot === ARRIVAL_SLOT;
}

/** A control entry's name, or what rsync calls it until it is whole. */
export function isControlName(name: string): boolean {
  return (
    entryNamed(name, undefined) !== undefined ||
    entryNamed(name.replace(/\.[A-Za-z0-9]{6}$/, ''), undefined) !== undefined
  );
}

/** A control entry that is a symlink. */
export function isLinkName(container: Container, name: string): boolean {
  const control = entryNamed(name, undefined);
  return control !== undefined && (control.mode(container) & S_IFMT) === S_IFLNK;
}

function isGhost(id: NodeId): boolean {
  return slotOf(id) === GHOST_SLOT;
}
