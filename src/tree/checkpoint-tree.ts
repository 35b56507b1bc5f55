import { checkCheckpoint } from '../container/checkpoint.ts';
import type { Container } from '../container/container.ts';
import type { Machine } from '../container/machine.ts';
import { recordRefusal } from '../container/refusal.ts';
import { FsError } from '../errno.ts';
import { ArrivalNodes, isArriving, isControlName, isLinkName } from './arrival-nodes.ts';
import { Arrivals } from './arrivals.ts';
import { fleetingEntry } from './checkpoint-attr.ts';
import { indexOf, isImages, slotOf } from './checkpoint-id.ts';
import { bundle } from './control/bundle.ts';
import { checkpoint } from './control/checkpoint.ts';
import {
  FIRST_COOKIE,
  NOW,
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
import { ghostAttr, type Haunting } from './haunting.ts';
import { DIRECTORY_ENTRY, entryOf, serialOf, type NodeId } from './node-id.ts';
import { directoryOf, TakeNodes, type NumberedFile } from './take-nodes.ts';
import { Takes } from './takes.ts';
import { controlAttr } from './view.ts';

/** poll(2) of a file that never waits: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM. */
const POLL_READY = 0x145;

/** Never there: who looks for it in `.checkpoint` is told whether a checkpoint could be taken, by ENOENT if so. */
export const CHECK = '.check';

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
  readonly #taken: TakeNodes;
  readonly #arriving: ArrivalNodes;
  #nextHandle: number;

  constructor(inner: Filesystem, machine: Machine, firstHandle: number) {
    this.#inner = inner;
    this.#machine = machine;
    this.#takes = new Takes(machine);
    this.#arrivals = new Arrivals(machine);
    this.#taken = new TakeNodes(this.#takes);
    this.#arriving = new ArrivalNodes(this.#arrivals, machine.files);
    this.#nextHandle = firstHandle;
  }

  async lookup(request: Request, parent: NodeId, name: string): Promise<Entry> {
    if (isImages(parent)) return await this.#lookupWithin(request, parent, name);
    const container = this.#directory(parent);
    if (!container || !name.startsWith('.')) return await this.#inner.lookup(request, parent, name);
    const haunting = await this.#arrivals.stillSeenBy(request, container, false);
    const ghost = haunting?.named(parent, name);
    // Others are not told, for one, that it runs.
    if (ghost && haunting?.isUnpacker(this.#machine.files, request.caller.pid)) return fleetingEntry(ghostAttr(ghost));
    const isCheckpoint = name === checkpoint.name;
    if (haunting && container.phase !== 'declared' && !isCheckpoint && isControlName(name)) {
      throw new FsError('ENOENT', `the archive has brought no ${name} yet`);
    }
    if (haunting?.gathering && isCheckpoint) return fleetingEntry(this.#arrivals.attr(haunting, haunting.imagesId));
    const entry = await this.#inner.lookup(request, parent, name);
    const take = isCheckpoint ? await this.#takes.seenBy(request.caller, container) : undefined;
    return take ? fleetingEntry(directoryOf(take)) : entry;
  }

  async getattr(request: Request, id: NodeId): Promise<Attr> {
    if (isArriving(id)) return this.#arriving.getattr(id);
    if (slotOf(id) !== 0) return this.#taken.getattr(id);
    if (isImages(id)) return controlAttr(this.#container(id), checkpoint, 0);
    return await this.#inner.getattr(request, id);
  }

  /** Touching `.checkpoint` takes one, and holds it. */
  async setattr(request: Request, id: NodeId, changes: AttrChanges): Promise<Attr> {
    if (isArriving(id)) return await this.#arriving.setattr(id, changes);
    if (!isImages(id)) return await this.#inner.setattr(request, id, changes);
    const container = this.#container(id);
    const isFile = slotOf(id) !== 0 && indexOf(id) !== 0;
    if (changes.mtime !== NOW || isFile) return await this.getattr(request, id);
    await this.#takes.hold(container, request.caller);
    return controlAttr(container, checkpoint, 0);
  }

  async readlink(request: Request, id: NodeId): Promise<string> {
    return isArriving(id) ? await this.#arriving.readlink(request, id) : await this.#inner.readlink(request, id);
  }

  async mkdir(request: Request, parent: NodeId, name: string, mode: number): Promise<Entry> {
    if (isImages(parent)) return this.#makeWithin(request, parent, name, S_IFDIR | mode);
    const container = this.#directory(parent);
    if (container && name === checkpoint.name) {
      if (container.phase !== 'declared') this.#refuseArrival(container);
      const haunting = await this.#arrivals.beginImages(request, container);
      return fleetingEntry(this.#arrivals.attr(haunting, haunting.imagesId));
    }
    const haunting = await this.#joined(request, container, name);
    if (!haunting) return await this.#inner.mkdir(request, parent, name, mode);
    return this.#arriving.makeIn(request, haunting, parent, name, S_IFDIR | mode);
  }

  async mknod(request: Request, parent: NodeId, name: string, mode: number): Promise<Entry> {
    const isRegular = (mode & S_IFMT) === S_IFREG;
    if (isImages(parent) && !isRegular) throw new FsError('EPERM', 'an archive has no devices, fifos or sockets here');
    if (isImages(parent)) return this.#makeWithin(request, parent, name, mode);
    const haunting = isRegular ? await this.#joined(request, this.#directory(parent), name) : undefined;
    if (!haunting) return await this.#inner.mknod(request, parent, name, mode);
    return this.#arriving.makeIn(request, haunting, parent, name, mode);
  }

  async create(request: Request, parent: NodeId, name: string, mode: number, flags: number): Promise<Created> {
    const place = { parent, name };
    if (isArriving(parent)) return await this.#arriving.create(request, place, mode, flags, this.#handle());
    if (isImages(parent)) this.#refuseArrival(this.#container(parent));
    const haunting = await this.#joined(request, this.#directory(parent), name);
    if (!haunting) return await this.#inner.create(request, parent, name, mode, flags);
    return this.#arriving.createIn(request, haunting, place, mode, flags, this.#handle());
  }

  async symlink(request: Request, parent: NodeId, name: string, target: string): Promise<Entry> {
    if (isImages(parent)) return this.#makeWithin(request, parent, name, S_IFLNK | 0o777, target);
    const container = this.#directory(parent);
    // An archive of a container that did not run has it, and no images.
    if (container && name === bundle.name && !this.#arrivals.seenBy(request, container)?.gathering) {
      return await this.#inner.symlink(request, parent, name, target);
    }
    const isLink = container?.phase === 'declared' && isLinkName(container, name);
    const haunting = await this.#joined(request, container, name, isLink);
    if (!haunting) return await this.#inner.symlink(request, parent, name, target);
    return this.#arriving.makeIn(request, haunting, parent, name, S_IFLNK | 0o777, target);
  }

  async link(request: Request, id: NodeId, parent: NodeId, name: string): Promise<Entry> {
    if (isImages(id) || isImages(parent)) throw new FsError('EPERM', 'an archive has no hard links here');
    return await this.#inner.link(request, id, parent, name);
  }

  async unlink(request: Request, parent: NodeId, name: string): Promise<undefined> {
    const haunting = await this.#haunting(request, parent, true);
    const ghost = haunting?.named(parent, name);
    if (haunting && ghost) haunting.remove(ghost);
    else if (isArriving(parent)) await this.#arriving.unlink(parent, name);
    else if (slotOf(parent) !== 0) await this.#taken.unlink(request, parent, name);
    else await this.#inner.unlink(request, parent, name);
  }

  async rmdir(request: Request, parent: NodeId, name: string): Promise<undefined> {
    const haunting = await this.#haunting(request, parent, true);
    const ghost = haunting?.named(parent, name);
    if (haunting && ghost) {
      if (haunting.in(ghost.id).length > 0) throw new FsError('ENOTEMPTY', `${name} has entries`);
      haunting.remove(ghost);
      return;
    }
    const container = this.#directory(parent);
    if (!container || name !== checkpoint.name) await this.#inner.rmdir(request, parent, name);
    else if (haunting?.gathering) await this.#arrivals.endImages(haunting);
    else await this.#taken.drop(request, container);
  }

  async rename(request: Request, from: Place, to: Place, flags: number): Promise<undefined> {
    const haunting = await this.#haunting(request, from.parent);
    const ghost = haunting?.named(from.parent, from.name);
    if (haunting && (ghost ?? isArriving(from.parent))) await this.#arriving.rename(request, haunting, from, to, ghost);
    else await this.#inner.rename(request, from, to, flags);
  }

  async open(request: Request, id: NodeId, flags: number): Promise<Opened> {
    if (isArriving(id)) return await this.#arriving.open(request, id, flags, this.#handle());
    if (slotOf(id) !== 0) return await this.#taken.open(id, flags, this.#handle());
    return await this.#inner.open(request, id, flags);
  }

  async read(request: Request, id: NodeId, handle: number, offset: number, size: number): Promise<Uint8Array> {
    if (isArriving(id)) return this.#arriving.read(id, offset, size);
    if (slotOf(id) !== 0) return await this.#taken.read(id, handle, offset, size);
    return await this.#inner.read(request, id, handle, offset, size);
  }

  async write(request: Request, id: NodeId, handle: number, offset: number, data: Uint8Array): Promise<number> {
    if (!isArriving(id)) return await this.#inner.write(request, id, handle, offset, data);
    await this.#arriving.write(request, id, handle, offset, data);
    return data.length;
  }

  async flush(request: Request, id: NodeId, handle: number): Promise<undefined> {
    if (isArriving(id)) await this.#arriving.flush(request, id, handle);
    else await this.#inner.flush(request, id, handle);
  }

  async release(request: Request, id: NodeId, handle: number): Promise<undefined> {
    if (isArriving(id)) await this.#arriving.release(handle);
    else if (slotOf(id) !== 0) await this.#taken.release(handle);
    else await this.#inner.release(request, id, handle);
  }

  async readdir(request: Request, id: NodeId, cookie: number): Promise<Iterable<DirEntry>> {
    if (!isImages(id)) return await this.#inner.readdir(request, id, cookie);
    return (await this.#list(request, id))
      .map(({ number, name, attr }) => ({ name, cookie: FIRST_COOKIE + number, entry: fleetingEntry(attr) }))
      .filter((row) => row.cookie > cookie);
  }

  statfs(request: Request, id: NodeId) {
    return this.#inner.statfs(request, id);
  }

  async poll(request: Request, id: NodeId, handle: number, events: number, wake: number | undefined): Promise<number> {
    return isImages(id) ? events & POLL_READY : await this.#inner.poll(request, id, handle, events, wake);
  }

  async #list(request: Request, id: NodeId): Promise<NumberedFile[]> {
    if (isArriving(id)) return this.#arriving.list(id);
    return slotOf(id) === 0 ? [] : await this.#taken.list(request, id);
  }

  async #lookupWithin(request: Request, parent: NodeId, name: string): Promise<Entry> {
    if (name === CHECK && !isArriving(parent)) await this.#check(request, this.#container(parent));
    const found = (await this.#list(request, parent)).find((row) => row.name === name);
    if (!found) throw new FsError('ENOENT', `there is no ${JSON.stringify(name)}`);
    return fleetingEntry(found.attr);
  }

  /** Throws, with the reason in `.error`, if a checkpoint could not be taken now, as far as that is known. */
  async #check({ caller }: Request, container: Container): Promise<void> {
    try {
      await checkCheckpoint(this.#machine, container, caller.pid);
    } catch (error) {
      recordRefusal(this.#machine, container, error, caller);
      throw error;
    }
  }

  /** The archive to which a name in a container's own directory belongs, if it does; `certain`: it does, whoever makes it. */
  async #joined(request: Request, container: Container | undefined, name: string, certain = false) {
    if (!container || !name.startsWith('.') || !isControlName(name)) return undefined;
    return await this.#arrivals.joinedBy(request, container, certain);
  }

  #makeWithin(request: Request, parent: NodeId, name: string, mode: number, target?: string): Entry {
    if (isArriving(parent)) return this.#arriving.make(request, parent, name, mode, target);
    throw new FsError('EPERM', 'a checkpoint that was taken is not changed');
  }

  #refuseArrival(container: Container): never {
    const error = new FsError('EBUSY', `Cannot restore here: it is ${container.phase}; remove it first`);
    recordRefusal(this.#machine, container, error);
    throw error;
  }

  /** The archive that has names in this directory, as this caller sees it. */
  async #haunting(request: Request, directory: NodeId, removes = false): Promise<Haunting | undefined> {
    if (isArriving(directory)) return this.#arrivals.of(directory);
    const container = this.#directory(directory);
    return container && (await this.#arrivals.stillSeenBy(request, container, removes));
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
