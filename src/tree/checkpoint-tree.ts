import { open, type FileHandle } from 'node:fs/promises';
import { checkCheckpoint } from '../container/checkpoint.ts';
import type { Container } from '../container/container.ts';
import type { Machine } from '../container/machine.ts';
import { recordRefusal } from '../container/refusal.ts';
import { hide } from '../container/registry.ts';
import { FsError, systemErrno } from '../errno.ts';
import { Arrivals } from './arrivals.ts';
import { fleetingEntry, imageAttr, imagesDirectoryAttr } from './checkpoint-attr.ts';
import { ARRIVAL_SLOT, CHECKPOINT_ENTRY, GHOST_SLOT, indexOf, slotId, slotOf } from './checkpoint-id.ts';
import { checkpoint } from './control/checkpoint.ts';
import { state } from './control/state.ts';
import { entryNamed } from './control/table.ts';
import {
  NOW,
  O_ACCMODE,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Attr,
  type AttrChanges,
  type Created,
  type DirEntry,
  type Entry,
  type Filesystem,
  type Opened,
  type Place,
  type Request,
} from './filesystem.ts';
import { changeGhost, ghostAttr, type Haunting } from './haunting.ts';
import { DIRECTORY_ENTRY, entryOf, serialOf, type NodeId } from './node-id.ts';
import { Takes, type Take } from './takes.ts';
import { checkLength, controlAttr } from './view.ts';

/** Cookies of the files of an images directory: their number behind this. */
const FIRST_COOKIE = 16;

/** Never there: who looks for it in `.checkpoint` is told whether a checkpoint could be taken, by ENOENT if so. */
export const CHECK = '.check';

/** Bytes of `.state` that are looked at. */
const STATE_BYTES = 64;

/**
 * The tree with what `.checkpoint` has in it, and with the names of archives that are being unpacked. All else is `inner`'s.
 * A directory of images is one of three kinds, by its slot: taken for an archiver or for all (`Takes`), or arriving
 * (`Arrivals`); without a slot it is empty.
 */
export class CheckpointTree implements Filesystem {
  readonly #inner: Filesystem;
  readonly #machine: Machine;
  readonly #takes: Takes;
  readonly #arrivals: Arrivals;
  readonly #reading = new Map<number, FileHandle>();
  #nextHandle: number;

  constructor(inner: Filesystem, machine: Machine, firstHandle: number) {
    this.#inner = inner;
    this.#machine = machine;
    this.#takes = new Takes(machine);
    this.#arrivals = new Arrivals(machine);
    this.#nextHandle = firstHandle;
  }

  async lookup(request: Request, parent: NodeId, name: string): Promise<Entry> {
    if (slotOf(parent) !== 0 || entryOf(parent) === CHECKPOINT_ENTRY) return await this.#lookupWithin(request, parent, name);
    const container = this.#directory(parent);
    if (!container || !name.startsWith('.')) return await this.#inner.lookup(request, parent, name);
    const haunting = this.#arrivals.seenBy(request, container);
    const ghost = haunting?.named(parent, name);
    if (ghost) return fleetingEntry(ghostAttr(ghost));
    const isReal = haunting && container.phase !== 'declared' && name !== checkpoint.name && isControlName(name);
    if (isReal) throw new FsError('ENOENT', `the archive has brought no ${name} yet`);
    if (name === checkpoint.name) {
      if (haunting?.gathering) return fleetingEntry(this.#arrivals.attr(haunting, haunting.imagesId));
      const entry = await this.#inner.lookup(request, parent, name);
      const take = await this.#takes.seenBy(request.caller.pid, container);
      return take ? fleetingEntry(directoryOf(take)) : entry;
    }
    return await this.#inner.lookup(request, parent, name);
  }

  async getattr(request: Request, id: NodeId): Promise<Attr> {
    const slot = slotOf(id);
    if (slot === 0) {
      const container = entryOf(id) === CHECKPOINT_ENTRY ? this.#container(id) : undefined;
      return container ? controlAttr(container, checkpoint, 0) : await this.#inner.getattr(request, id);
    }
    if (slot === GHOST_SLOT) return ghostAttr(this.#arrivals.of(id).ghost(id));
    if (slot === ARRIVAL_SLOT) return this.#arrivals.attr(this.#arrivals.of(id), id);
    return this.#takenAttr(id);
  }

  async setattr(request: Request, id: NodeId, changes: AttrChanges): Promise<Attr> {
    const slot = slotOf(id);
    if (slot === GHOST_SLOT) {
      const ghost = this.#arrivals.of(id).ghost(id);
      changeGhost(ghost, changes);
      return ghostAttr(ghost);
    }
    if (slot === ARRIVAL_SLOT) {
      const haunting = this.#arrivals.of(id);
      const name = haunting.fileNames.get(indexOf(id));
      if (changes.size !== undefined && name !== undefined) await haunting.gathering?.truncate(name, changes.size);
      return this.#arrivals.attr(haunting, id);
    }
    if (slot === 0 && entryOf(id) !== CHECKPOINT_ENTRY) return await this.#inner.setattr(request, id, changes);
    const container = this.#container(id);
    if (changes.mtime === NOW && (slot === 0 || indexOf(id) === 0)) await this.#takes.hold(container, request.caller.pid);
    return slot === 0 ? controlAttr(container, checkpoint, 0) : await this.getattr(request, id).catch(() => controlAttr(container, checkpoint, 0));
  }

  async readlink(request: Request, id: NodeId): Promise<string> {
    if (slotOf(id) !== GHOST_SLOT) return await this.#inner.readlink(request, id);
    return this.#arrivals.of(id).ghost(id).target ?? '';
  }

  async mkdir(request: Request, parent: NodeId, name: string, mode: number): Promise<Entry> {
    if (slotOf(parent) !== 0) return this.#makeGhost(request, this.#ghostParent(parent), parent, name, S_IFDIR | mode);
    const container = this.#directory(parent);
    if (container && name === checkpoint.name && container.phase === 'declared') {
      const haunting = await this.#arrivals.beginImages(request, container);
      return fleetingEntry(this.#arrivals.attr(haunting, haunting.imagesId));
    }
    const haunting = await this.#joined(request, container, name, false);
    if (!haunting) return await this.#inner.mkdir(request, parent, name, mode);
    return this.#makeGhost(request, haunting, parent, name, S_IFDIR | mode);
  }

  async mknod(request: Request, parent: NodeId, name: string, mode: number): Promise<Entry> {
    if (slotOf(parent) === 0) {
      const haunting = (mode & S_IFMT) === S_IFREG ? await this.#joined(request, this.#directory(parent), name, false) : undefined;
      if (!haunting) return await this.#inner.mknod(request, parent, name, mode);
      return this.#makeGhost(request, haunting, parent, name, mode);
    }
    if ((mode & S_IFMT) !== S_IFREG) throw new FsError('EPERM', 'an archive has no devices, fifos or sockets here');
    return this.#makeGhost(request, this.#ghostParent(parent), parent, name, mode);
  }

  async create(request: Request, parent: NodeId, name: string, mode: number, flags: number): Promise<Created> {
    checkLength(name);
    const slot = slotOf(parent);
    const handle = this.#handle();
    if (slot === ARRIVAL_SLOT) {
      const haunting = this.#arrivals.of(parent);
      await this.#arrivals.open(request, haunting, name, handle);
      const id = this.#arrivals.fileId(haunting, name);
      return { handle, noFlush: false, entry: fleetingEntry(this.#arrivals.attr(haunting, id)) };
    }
    if (slot === 0) {
      if (entryOf(parent) === CHECKPOINT_ENTRY) this.#refuseArrival(this.#container(parent));
      const haunting = await this.#joined(request, this.#directory(parent), name, false);
      if (!haunting) return await this.#inner.create(request, parent, name, mode, flags);
      const entry = this.#makeGhost(request, haunting, parent, name, S_IFREG | (mode & ~S_IFMT));
      return { handle, noFlush: false, entry };
    }
    if (slot !== GHOST_SLOT) this.#refuseArrival(this.#container(parent));
    const entry = this.#makeGhost(request, this.#ghostParent(parent), parent, name, S_IFREG | (mode & ~S_IFMT));
    return { handle, noFlush: false, entry };
  }

  async symlink(request: Request, parent: NodeId, name: string, target: string): Promise<Entry> {
    checkLength(name);
    if (slotOf(parent) !== 0) {
      return this.#makeGhost(request, this.#ghostParent(parent), parent, name, S_IFLNK | 0o777, target);
    }
    const container = this.#directory(parent);
    const isLink = container?.phase === 'declared' && isLinkName(container, name);
    const haunting = await this.#joined(request, container, name, isLink);
    if (!haunting) return await this.#inner.symlink(request, parent, name, target);
    return this.#makeGhost(request, haunting, parent, name, S_IFLNK | 0o777, target);
  }

  async link(request: Request, id: NodeId, parent: NodeId, name: string): Promise<Entry> {
    if (slotOf(id) !== 0 || slotOf(parent) !== 0) throw new FsError('EPERM', 'an archive has no hard links here');
    return await this.#inner.link(request, id, parent, name);
  }

  async unlink(request: Request, parent: NodeId, name: string): Promise<undefined> {
    const slot = slotOf(parent);
    if (slot === ARRIVAL_SLOT) {
      const { gathering } = this.#arrivals.of(parent);
      if (gathering?.sizeOf(name) === undefined) throw new FsError('ENOENT', `there is no ${name}`);
      await gathering.remove(name);
      return;
    }
    const container = this.#directory(parent);
    const haunting = slot === GHOST_SLOT ? this.#arrivals.of(parent) : container && this.#arrivals.seenBy(request, container);
    const ghost = haunting?.named(parent, name);
    if (haunting && ghost) {
      haunting.remove(ghost);
      return;
    }
    if (slot === 0) return await this.#inner.unlink(request, parent, name);
    const take = this.#takes.of(parent);
    const files = await this.#takes.files(take, request.caller.pid);
    if (!files.some((file) => file.name === name)) throw new FsError('ENOENT', `there is no ${name}`);
    take.gone.add(name);
  }

  async rmdir(request: Request, parent: NodeId, name: string): Promise<undefined> {
    const container = this.#directory(parent);
    const haunting =
      slotOf(parent) === GHOST_SLOT ? this.#arrivals.of(parent) : container && this.#arrivals.seenBy(request, container);
    const ghost = haunting?.named(parent, name);
    if (haunting && ghost) {
      if (haunting.in(ghost.id).length > 0) throw new FsError('ENOTEMPTY', `${name} has entries`);
      haunting.remove(ghost);
      return;
    }
    if (!container || name !== checkpoint.name) return await this.#inner.rmdir(request, parent, name);
    if (haunting?.gathering) {
      await this.#arrivals.endImages(haunting);
      return;
    }
    if (!checkpoint.present(container)) throw new FsError('ENOENT', `there is no ${name}`);
    const take = await this.#takes.seenBy(request.caller.pid, container);
    if (take?.ready && (await this.#takes.files(take, request.caller.pid)).length > 0) {
      throw new FsError('ENOTEMPTY', `${name} has files`);
    }
    if (take) this.#takes.drop(take);
    hide(container, 1 << CHECKPOINT_ENTRY, Date.now());
  }

  async rename(request: Request, from: Place, to: Place, flags: number): Promise<undefined> {
    const container = this.#directory(from.parent);
    const slot = slotOf(from.parent);
    const haunting =
      slot === GHOST_SLOT || slot === ARRIVAL_SLOT
        ? this.#arrivals.of(from.parent)
        : container && this.#arrivals.seenBy(request, container);
    const ghost = haunting?.named(from.parent, from.name);
    if (!haunting || (slot !== ARRIVAL_SLOT && !ghost)) return await this.#inner.rename(request, from, to, flags);
    if (from.parent !== to.parent) throw new FsError('EPERM', 'what arrives keeps its directory');
    if (ghost) {
      const replaced = haunting.named(to.parent, to.name);
      if (replaced) haunting.remove(replaced);
      ghost.name = to.name;
    } else {
      await haunting.gathering?.rename(from.name, to.name);
      for (const [number, name] of haunting.fileNames) {
        if (name === to.name) haunting.fileNames.delete(number);
        if (name === from.name) haunting.fileNames.set(number, to.name);
      }
    }
    await this.#arrivals.restoreIfComplete(request, haunting);
  }

  async open(request: Request, id: NodeId, flags: number): Promise<Opened> {
    const slot = slotOf(id);
    if (slot === 0) return await this.#inner.open(request, id, flags);
    const handle = this.#handle();
    if (slot === GHOST_SLOT) return { handle, noFlush: (flags & O_ACCMODE) === 0 };
    if (slot === ARRIVAL_SLOT) {
      const haunting = this.#arrivals.of(id);
      const name = haunting.fileNames.get(indexOf(id));
      if (name === undefined) throw new FsError('ENOENT', 'this image is gone');
      if ((flags & O_ACCMODE) === 0) throw new FsError('EACCES', 'images that arrive are not read; they are restored');
      await this.#arrivals.open(request, haunting, name, handle);
      return { handle, noFlush: false };
    }
    if ((flags & O_ACCMODE) !== 0) throw new FsError('EROFS', 'what was saved is not changed');
    this.#reading.set(handle, await this.#openTaken(id));
    return { handle, noFlush: true, immutable: true };
  }

  async read(request: Request, id: NodeId, handle: number, offset: number, size: number): Promise<Uint8Array> {
    const slot = slotOf(id);
    if (slot === 0) return await this.#inner.read(request, id, handle, offset, size);
    if (slot === GHOST_SLOT) return Buffer.from(this.#arrivals.of(id).ghost(id).text).subarray(offset, offset + size);
    let file = this.#reading.get(handle);
    if (!file) this.#reading.set(handle, (file = await this.#openTaken(id)));
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(size), 0, size, offset);
    return buffer.subarray(0, bytesRead);
  }

  async write(request: Request, id: NodeId, handle: number, offset: number, data: Uint8Array): Promise<number> {
    const slot = slotOf(id);
    if (slot === 0) return await this.#inner.write(request, id, handle, offset, data);
    if (slot === ARRIVAL_SLOT) await this.#arrivals.write(handle, data, offset);
    else {
      const ghost = this.#arrivals.of(id).ghost(id);
      ghost.size = Math.max(ghost.size, offset + data.length);
      if (offset === 0) ghost.text = Buffer.from(data.subarray(0, STATE_BYTES)).toString('utf8');
      // A command: the shell that gives it does not look at what close says.
      if (ghost.name === state.name && this.#isCommand(request, id)) {
        await this.#arrivals.restoreIfComplete(request, this.#arrivals.of(id), true);
      }
    }
    return data.length;
  }

  async flush(request: Request, id: NodeId, handle: number): Promise<undefined> {
    const slot = slotOf(id);
    if (slot === ARRIVAL_SLOT) await this.#arrivals.flush(request, handle);
    else if (slot !== GHOST_SLOT) return await this.#inner.flush(request, id, handle);
    else {
      const haunting = this.#arrivals.of(id);
      const isWord = haunting.ghost(id).name === state.name && !this.#isCommand(request, id);
      if (isWord) await this.#arrivals.restoreIfComplete(request, haunting);
    }
  }

  async release(request: Request, id: NodeId, handle: number): Promise<undefined> {
    const slot = slotOf(id);
    if (slot === 0) return await this.#inner.release(request, id, handle);
    if (slot === ARRIVAL_SLOT) await this.#arrivals.release(handle);
    const file = this.#reading.get(handle);
    this.#reading.delete(handle);
    await file?.close();
  }

  async readdir(request: Request, id: NodeId, cookie: number): Promise<Iterable<DirEntry>> {
    const slot = slotOf(id);
    if (slot === 0) return entryOf(id) === CHECKPOINT_ENTRY ? [] : await this.#inner.readdir(request, id, cookie);
    const serial = serialOf(id);
    const rows = await this.#filesIn(request, id, slot);
    return rows
      .map(({ number, name, attr }) => ({ name, cookie: FIRST_COOKIE + number, entry: fleetingEntry(attr) }))
      .filter((row) => row.cookie > cookie && serial === serialOf(row.entry.attr.id));
  }

  async statfs(request: Request, id: NodeId) {
    return await this.#inner.statfs(request, id);
  }

  async poll(request: Request, id: NodeId, handle: number, events: number, wake: number | undefined): Promise<number> {
    if (slotOf(id) !== 0) return events & POLL_READY;
    return await this.#inner.poll(request, id, handle, events, wake);
  }

  /** Whether what arrives is written by somebody else than who unpacks it. */
  #isCommand({ caller }: Request, id: NodeId): boolean {
    return !this.#arrivals.of(id).isUnpacker(this.#machine.files, caller.pid);
  }

  async #filesIn(request: Request, id: NodeId, slot: number): Promise<{ number: number; name: string; attr: Attr }[]> {
    if (slot === GHOST_SLOT) {
      const ghosts = this.#arrivals.of(id).in(id);
      return ghosts.map((ghost) => ({ number: indexOf(ghost.id), name: ghost.name, attr: ghostAttr(ghost) }));
    }
    if (slot === ARRIVAL_SLOT) {
      const haunting = this.#arrivals.of(id);
      for (const name of haunting.gathering?.names ?? []) haunting.fileNumber(name);
      return [...haunting.fileNames]
        .filter(([, name]) => haunting.gathering?.sizeOf(name) !== undefined)
        .map(([number, name]) => ({ number, name, attr: this.#arrivals.attr(haunting, this.#arrivals.fileId(haunting, name)) }));
    }
    const take = this.#takes.of(id);
    const files = await this.#takes.files(take, request.caller.pid);
    return files.map((file) => {
      const number = take.files.indexOf(file) + 1;
      return { number, name: file.name, attr: imageAttr(slotId(serialOf(id), slot, number), take.at, file.size) };
    });
  }

  async #lookupWithin(request: Request, parent: NodeId, name: string): Promise<Entry> {
    const slot = slotOf(parent);
    if (name === CHECK && slot !== ARRIVAL_SLOT && slot !== GHOST_SLOT) await this.#check(request, this.#container(parent));
    const rows = slot === 0 ? [] : await this.#filesIn(request, parent, slot);
    const found = rows.find((row) => row.name === name);
    if (!found) throw new FsError('ENOENT', `there is no ${JSON.stringify(name)}`);
    return fleetingEntry(found.attr);
  }

  /** Throws, with the reason in `.error`, if a checkpoint could not be taken now, as far as that is known. */
  async #check({ caller }: Request, container: Container): Promise<void> {
    try {
      await checkCheckpoint(this.#machine, container, caller.pid);
    } catch (error) {
      recordRefusal(this.#machine, container, error);
      throw error;
    }
  }

  #takenAttr(id: NodeId): Attr {
    const take = this.#takes.of(id);
    const file = take.files[indexOf(id) - 1];
    if (indexOf(id) === 0) return directoryOf(take);
    if (!file) throw new FsError('ENOENT', 'this image is gone');
    return imageAttr(id, take.at, file.size);
  }

  async #openTaken(id: NodeId): Promise<FileHandle> {
    const file = this.#takes.of(id).files[indexOf(id) - 1];
    if (!file) throw new FsError('EISDIR', 'images are in a directory');
    try {
      return await open(file.path, 'r');
    } catch (cause) {
      throw new FsError(systemErrno(cause) ?? 'EIO', `Cannot open ${file.path}`, { cause });
    }
  }

  /** The archive to which a name in a container's own directory belongs, if it does. */
  async #joined(request: Request, container: Container | undefined, name: string, certain: boolean) {
    if (!container || !name.startsWith('.') || !isControlName(name)) return undefined;
    return await this.#arrivals.joinedBy(request, container, certain);
  }

  #makeGhost({ caller }: Request, haunting: Haunting, parent: NodeId, name: string, mode: number, target?: string): Entry {
    checkLength(name);
    return fleetingEntry(ghostAttr(haunting.make(parent, name, mode, caller, target)));
  }

  /** The archive of a directory that means nothing. Throws EPERM for one of images: what is made there is a regular file. */
  #ghostParent(parent: NodeId): Haunting {
    if (slotOf(parent) === GHOST_SLOT) return this.#arrivals.of(parent);
    throw new FsError('EPERM', 'a checkpoint has regular files only, and one that was taken is not changed');
  }

  #refuseArrival(container: Container): never {
    const error = new FsError('EBUSY', 'Cannot restore here: it runs; remove it first, or give what arrives another name');
    recordRefusal(this.#machine, container, error);
    throw error;
  }

  /** The container whose own directory this is. */
  #directory(id: NodeId): Container | undefined {
    return entryOf(id) === DIRECTORY_ENTRY ? this.#machine.store.registry.get(serialOf(id)) : undefined;
  }

  #container(id: NodeId): Container {
    const container = this.#machine.store.registry.get(serialOf(id));
    if (!container) throw new FsError('ENOENT', 'this container was removed');
    return container;
  }

  #handle(): number {
    const handle = this.#nextHandle;
    this.#nextHandle += 2;
    return handle;
  }
}

/** poll(2) of a file that never waits: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM. */
const POLL_READY = 0x145;

function directoryOf(take: Take): Attr {
  return imagesDirectoryAttr(slotId(take.container.serial, take.slot, 0), take.at);
}

/** A control entry's name, or what rsync calls it until it is whole. */
function isControlName(name: string): boolean {
  return entryNamed(name, false) !== undefined || entryNamed(name.replace(/\.[A-Za-z0-9]{6}$/, ''), false) !== undefined;
}

function isLinkName(container: Container, name: string): boolean {
  const control = entryNamed(name, false);
  return control !== undefined && (control.mode(container) & S_IFMT) === S_IFLNK;
}
