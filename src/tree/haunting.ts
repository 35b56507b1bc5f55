import type { Container } from '../container/container.ts';
import type { Gathering } from '../container/gather.ts';
import { FsError } from '../errno.ts';
import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { isAlive, readStat } from '../proc/process.ts';
import { now, type Timespec } from '../time.ts';
import { ARRIVAL_SLOT, GHOST_SLOT, SLOT_FILES_LIMIT, slotId } from './checkpoint-id.ts';
import { NOW, S_IFDIR, S_IFMT, type Attr, type AttrChanges } from './filesystem.ts';
import type { NodeId } from './node-id.ts';

/** Names of one archive that mean nothing; more are refused with ENOSPC. */
const GHOSTS_LIMIT = 16_384;

/** Processes that unpack into one container. */
const UNPACKERS_LIMIT = 64;

/** How long after its last write a process that is no archiver is taken to go on unpacking. */
const UNPACKING_MS = 1000;

/** A name of an archive that means nothing: it is there for who unpacks it, with the attributes it was given. */
export interface Ghost {
  readonly id: NodeId;
  parent: NodeId;
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  atime: Timespec;
  mtime: Timespec;
  readonly target: string | undefined;
  /** What `.state` was written. */
  text: string;
}

/** An archive on its way into one container: who brings it, what names it has, and the images that have arrived. */
export class Haunting {
  readonly container: Container;
  /** Absent while there is no `.checkpoint` in the archive. */
  gathering: Gathering | undefined;
  /** The container was restored from it. */
  restored = false;
  /** Numbers of arrived files, which stay when one is renamed. */
  readonly fileNames = new Map<number, string>();
  readonly madeAt = now();
  readonly #unpackers = new Map<Pid, number>();
  readonly #ghosts = new Map<NodeId, Ghost>();
  #next = 1;
  #nextFile = 1;
  #writtenMs = Date.now();

  constructor(container: Container) {
    this.container = container;
  }

  get imagesId(): NodeId {
    return slotId(this.container.serial, ARRIVAL_SLOT, 0);
  }

  /** This process unpacks: it sees what it has written also when the container runs. */
  addUnpacker(files: FileAccess, pid: Pid): void {
    this.written();
    const startTime = readStat(files, pid)?.starttime;
    if (startTime !== undefined && this.#unpackers.size < UNPACKERS_LIMIT) this.#unpackers.set(pid, startTime);
  }

  isUnpacker(files: FileAccess, pid: Pid): boolean {
    return readStat(files, pid)?.starttime === this.#unpackers.get(pid) && this.#unpackers.has(pid);
  }

  /** This one has done with it: it sees what the container is. */
  removeUnpacker(pid: Pid): void {
    this.#unpackers.delete(pid);
  }

  /** Somebody wrote to what is here. */
  written(): void {
    this.#writtenMs = Date.now();
  }

  /** Nobody has written anything for some time. */
  get isQuiet(): boolean {
    return Date.now() - this.#writtenMs >= UNPACKING_MS;
  }

  hasUnpackers(files: FileAccess): boolean {
    for (const [pid, startTime] of this.#unpackers) if (isAlive(files, pid, startTime)) return true;
    return false;
  }

  ghost(id: NodeId): Ghost {
    const ghost = this.#ghosts.get(id);
    if (!ghost) throw new FsError('ENOENT', 'this name of an archive is gone');
    return ghost;
  }

  named(parent: NodeId, name: string): Ghost | undefined {
    for (const ghost of this.#ghosts.values()) if (ghost.parent === parent && ghost.name === name) return ghost;
    return undefined;
  }

  in(parent: NodeId): Ghost[] {
    return [...this.#ghosts.values()].filter((ghost) => ghost.parent === parent);
  }

  make(parent: NodeId, name: string, mode: number, owner: { uid: number; gid: number }, target?: string): Ghost {
    if (this.named(parent, name)) throw new FsError('EEXIST', `${JSON.stringify(name)} is there already`);
    if (this.#ghosts.size >= GHOSTS_LIMIT)
      throw new FsError('ENOSPC', `an archive has at most ${GHOSTS_LIMIT} such names`);
    const id = slotId(this.container.serial, GHOST_SLOT, this.#next++);
    const at = now();
    const size = target === undefined ? 0 : Buffer.byteLength(target);
    const { uid, gid } = owner;
    const ghost: Ghost = { id, parent, name, mode, uid, gid, size, atime: at, mtime: at, target, text: '' };
    this.#ghosts.set(id, ghost);
    return ghost;
  }

  remove(ghost: Ghost): void {
    this.#ghosts.delete(ghost.id);
  }

  /** The number of an arrived file; given if it has none. */
  fileNumber(name: string): number {
    for (const [number, other] of this.fileNames) if (other === name) return number;
    if (this.#nextFile > SLOT_FILES_LIMIT) throw new FsError('ENOSPC', 'too many files for one checkpoint');
    this.fileNames.set(this.#nextFile, name);
    return this.#nextFile++;
  }
}

export function ghostAttr(ghost: Ghost): Attr {
  const { id, mode, uid, gid, size, atime, mtime } = ghost;
  const nlink = (mode & S_IFMT) === S_IFDIR ? 2 : 1;
  return { id, mode, nlink, uid, gid, size, atime, mtime, ctime: mtime, cacheable: true };
}

export function changeGhost(ghost: Ghost, { mode, uid, gid, size, atime, mtime }: AttrChanges): void {
  const at = now();
  if (mode !== undefined) ghost.mode = (ghost.mode & S_IFMT) | (mode & ~S_IFMT);
  ghost.uid = uid ?? ghost.uid;
  ghost.gid = gid ?? ghost.gid;
  ghost.size = size ?? ghost.size;
  if (size === 0) ghost.text = '';
  if (atime) ghost.atime = atime === NOW ? at : atime;
  if (mtime) ghost.mtime = mtime === NOW ? at : mtime;
}
