import { isLive, pathOf, subtree, type Container } from '../container/container.ts';
import { Gathering } from '../container/gather.ts';
import { isFull } from '../container/images.ts';
import type { Machine } from '../container/machine.ts';
import { recordRefusal } from '../container/refusal.ts';
import { restore } from '../container/restore.ts';
import { FsError } from '../errno.ts';
import type { Serial } from '../ids.ts';
import { isArchiver } from './archivers.ts';
import { ArrivingFiles, type Opening } from './arriving-files.ts';
import { imageAttr, imagesDirectoryAttr } from './checkpoint-attr.ts';
import { ARRIVAL_SLOT, indexOf, slotId } from './checkpoint-id.ts';
import { state } from './control/state.ts';
import type { Attr, Opened, Request } from './filesystem.ts';
import { Haunting } from './haunting.ts';
import { directoryId, serialOf, type NodeId } from './node-id.ts';

/** How often to look whether those who unpacked have ended, and what they wrote can be forgotten. */
const SWEEP_MS = 1_000;

/** States in which a container is restored. */
const RESTORABLE = ['running', 'frozen'];

/** Behind the state: files of the machine may have changed in size since. */
export const ACCEPT_CHANGED_FILES = 'accept-changed-files';

/** Archives that are being unpacked into containers, until they are restored. */
export class Arrivals {
  readonly #machine: Machine;
  readonly #hauntings = new Map<Serial, Haunting>();
  readonly #files = new ArrivingFiles();
  #sweeping: NodeJS.Timeout | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
    for (const container of subtree(machine.store.registry.root)) {
      if (container.checkpoint === 'arriving') this.#reopen(container);
      else if (container.checkpoint === 'ghosts') this.#note(container, 'none');
    }
    machine.store.onCommit((changes) => {
      if (changes.some(({ op }) => op === 'drop')) this.#forgetDropped();
    });
  }

  /** The archive that this caller sees in the container: everybody until it is restored, then who has unpacked it. */
  seenBy({ caller }: Request, container: Container): Haunting | undefined {
    const haunting = this.#hauntings.get(container.serial);
    if (!haunting) return undefined;
    const isForAll = container.phase === 'declared' && !haunting.restored;
    return isForAll || haunting.isUnpacker(this.#machine.files, caller.pid) ? haunting : undefined;
  }

  /**
   * Whether the caller, who sees the archive, has done with it, and is made to see the container from here on: an archiver
   * unpacks until it ends; of any other program it is known only by what it does. `asked`: it reads or removes.
   */
  async isDone({ caller }: Request, haunting: Haunting, asked: boolean): Promise<boolean> {
    const { container, restored } = haunting;
    if (!restored || container.phase === 'declared' || (!asked && !haunting.isQuiet)) return false;
    if (await isArchiver(caller.pid)) return false;
    haunting.removeUnpacker(caller.pid);
    return true;
  }

  /** As `seenBy`, but for who has done with it. `removes`: the caller takes something away. */
  async stillSeenBy(request: Request, container: Container, removes: boolean): Promise<Haunting | undefined> {
    const haunting = this.seenBy(request, container);
    return haunting && (await this.isDone(request, haunting, removes)) ? undefined : haunting;
  }

  /** Whether what this node was of is forgotten, since the container was restored from it, and all who unpacked have ended. */
  isOver(id: NodeId): boolean {
    const container = this.#machine.store.registry.get(serialOf(id));
    return container !== undefined && container.phase !== 'declared' && !this.#hauntings.has(container.serial);
  }

  of(id: NodeId): Haunting {
    const haunting = this.#hauntings.get(serialOf(id));
    if (!haunting) throw new FsError('ENOENT', 'what arrived here is gone');
    return haunting;
  }

  /**
   * The archive that a control entry created by this caller belongs to; `undefined` if it is a command. An archiver unpacks,
   * whatever it makes; anybody who makes `certain` names does.
   */
  async joinedBy(request: Request, container: Container, certain: boolean): Promise<Haunting | undefined> {
    const { pid, uid } = request.caller;
    const seen = this.seenBy(request, container);
    const unpacks = certain || (await isArchiver(pid));
    if (seen && !seen.gathering && !unpacks && !seen.isUnpacker(this.#machine.files, pid)) {
      // Names without images, and somebody gives a command: that counts.
      this.#end(seen);
      return undefined;
    }
    if (!seen && !unpacks) return undefined;
    if (uid !== 0 && uid !== container.uid) {
      throw new FsError('EACCES', `only uid ${container.uid}, who owns the container, and root unpack into it`);
    }
    const haunting = seen ?? this.#hauntings.get(container.serial) ?? this.#begin(container);
    if (unpacks || seen?.isUnpacker(this.#machine.files, pid)) haunting.addUnpacker(this.#machine.files, pid);
    return haunting;
  }

  /** mkdir `.checkpoint` in a container that never started. */
  async beginImages(request: Request, container: Container): Promise<Haunting> {
    const haunting = await this.joinedBy(request, container, true);
    if (!haunting || container.phase !== 'declared') {
      throw new FsError('EEXIST', '.checkpoint is there: images arrive in a container that never started');
    }
    if (haunting.gathering) throw new FsError('EEXIST', '.checkpoint is there already');
    haunting.gathering = new Gathering(this.#machine, container);
    await this.keepState(haunting);
    this.#note(container, 'arriving');
    return haunting;
  }

  /** `.state` was written, or was there first: it counts when the rest has arrived, also for the next daemon. */
  async keepState(haunting: Haunting): Promise<void> {
    const ghost = haunting.named(directoryId(haunting.container.serial), state.name);
    if (ghost) await haunting.gathering?.setState(ghost.text);
  }

  /** rmdir `.checkpoint`: what arrived is gone. */
  async endImages(haunting: Haunting): Promise<void> {
    if (haunting.gathering && haunting.gathering.names.length > 0 && !haunting.restored) {
      throw new FsError('ENOTEMPTY', '.checkpoint has files');
    }
    await haunting.gathering?.discard();
    haunting.gathering = undefined;
    this.#note(haunting.container, 'ghosts');
  }

  attr(haunting: Haunting, id: NodeId): Attr {
    if (id === haunting.imagesId) return imagesDirectoryAttr(id, haunting.madeAt);
    const name = haunting.fileNames.get(indexOf(id));
    const size = name === undefined ? undefined : haunting.gathering?.sizeOf(name);
    if (size === undefined) throw new FsError('ENOENT', 'this image is gone');
    return imageAttr(id, haunting.madeAt, size);
  }

  fileId(haunting: Haunting, name: string): NodeId {
    return slotId(haunting.container.serial, ARRIVAL_SLOT, haunting.fileNumber(name));
  }

  /** Opens an image for writing, as `ArrivingFiles` does: the caller unpacks. */
  async open(request: Request, haunting: Haunting, name: string, opening: Opening): Promise<Opened> {
    const opened = await this.#files.open(haunting, name, opening);
    haunting.addUnpacker(this.#machine.files, request.caller.pid);
    return opened;
  }

  async write(handle: number, data: Uint8Array, offset: number): Promise<void> {
    await this.#files.write(handle, data, offset);
  }

  /** close(2) of an image, or of a copy of its descriptor: the one that completes the set restores. */
  async flush(request: Request, handle: number): Promise<void> {
    const haunting = this.#files.flush(handle);
    await this.restoreIfComplete(request, haunting);
    await this.#tellIfFull(request, haunting);
  }

  async release(handle: number): Promise<void> {
    await this.#files.release(handle);
  }

  /** Who writes hears of it from the kernel; nobody else does, since what is written need not come through here. */
  async #tellIfFull({ caller }: Request, { container, gathering, restored }: Haunting): Promise<void> {
    if (!gathering || restored || !(await isFull(gathering.place))) return;
    const why = `Cannot restore "${pathOf(container)}": ${gathering.place.dir} has no room for all of it; make some, and unpack it anew`;
    recordRefusal(this.#machine, container, new FsError('ENOSPC', why), caller);
  }

  /**
   * Restores the container, and those in it that waited for that, if all has arrived and it is to run. `asked`: somebody
   * wants it now, so what lacks is told. Throws EIO or what `restore` does; the reason is in `.error`.
   */
  async restoreIfComplete(request: Request, haunting: Haunting, asked = false): Promise<void> {
    const { container, gathering } = haunting;
    const machine = this.#machine;
    if (!gathering || haunting.restored || container.phase !== 'declared') return;
    try {
      const manifest = await gathering.complete();
      const [word = '', ...options] = gathering.state.trim().split(/\s+/);
      if (!manifest) {
        if (asked) throw new FsError('EBUSY', `Cannot restore: ${await gathering.whatLacks()}`);
        return;
      }
      if (!RESTORABLE.includes(word) || (manifest.nested && this.#waitsForOuter(container))) return;
      haunting.restored = true;
      try {
        await restore(machine, container, request.caller.uid, {
          place: gathering.place,
          manifest,
          frozen: word === 'frozen',
          acceptChangedFiles: options.includes(ACCEPT_CHANGED_FILES),
          unique: request.unique,
        });
      } catch (error) {
        haunting.restored = false;
        throw error;
      }
    } catch (error) {
      recordRefusal(machine, container, error, request.caller);
      throw error;
    }
    this.#note(container, 'ghosts');
    gathering.discard().catch((cause: unknown) => {
      machine.log.warn({ container: container.serial, err: cause }, 'cannot remove images that were restored');
    });
    for (const child of container.children.values()) {
      const inner = this.#hauntings.get(child.serial);
      if (inner) await this.restoreIfComplete(request, inner);
    }
  }

  /** What it was in when it was saved arrives too, and comes first. */
  #waitsForOuter({ parent }: Container): boolean {
    for (let at = parent; at; at = at.parent) {
      if (at.parent && isLive(at)) return false;
      if (this.#hauntings.get(at.serial)) return true;
    }
    return false;
  }

  #begin(container: Container): Haunting {
    const haunting = new Haunting(container);
    this.#hauntings.set(container.serial, haunting);
    this.#note(container, 'ghosts');
    this.#sweeping ??= setInterval(() => {
      this.#sweep();
    }, SWEEP_MS).unref();
    return haunting;
  }

  /** What arrived before a former daemon died; nothing any more, if the container was restored in the meantime. */
  #reopen(container: Container): void {
    const haunting = new Haunting(container);
    haunting.gathering = new Gathering(this.#machine, container);
    if (container.phase === 'declared') this.#hauntings.set(container.serial, haunting);
    else {
      this.#note(container, 'none');
      void haunting.gathering.discard().catch(() => undefined);
    }
  }

  #end(haunting: Haunting): void {
    this.#hauntings.delete(haunting.container.serial);
    if (this.#machine.store.registry.get(haunting.container.serial)) this.#note(haunting.container, 'none');
  }

  #note({ serial }: Container, is: Container['checkpoint']): void {
    this.#machine.store.commit([{ op: 'checkpoint', serial, is }]);
  }

  /** A container that runs shows what it is, once those who unpacked it are gone. */
  #sweep(): void {
    for (const haunting of this.#hauntings.values()) {
      const { container } = haunting;
      if (container.phase !== 'declared' && !haunting.hasUnpackers(this.#machine.files)) this.#end(haunting);
    }
    if (this.#hauntings.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  #forgetDropped(): void {
    for (const [serial, haunting] of this.#hauntings) {
      if (this.#machine.store.registry.get(serial)) continue;
      this.#hauntings.delete(serial);
      void haunting.gathering?.discard().catch(() => undefined);
    }
  }
}
