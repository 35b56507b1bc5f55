import type { Pid, Serial } from '../ids.ts';
import type { Timespec } from '../time.ts';
import type { NodeId } from './node-id.ts';

/**
 * The seam between the tree and the adapters in `mount/`: an adapter decodes what its kernel or library asks, calls one
 * method here and encodes the answer. Every method throws `FsError`; an absent method is ENOSYS.
 */
export interface Filesystem {
  lookup(request: Request, parent: NodeId, name: string): Answer<Entry>;
  getattr(request: Request, id: NodeId): Answer<Attr>;
  setattr(request: Request, id: NodeId, changes: AttrChanges): Answer<Attr>;
  readlink(request: Request, id: NodeId): Answer<string>;
  mkdir(request: Request, parent: NodeId, name: string, mode: number): Answer<Entry>;
  /** mknod(2): `mode` has the type bits. */
  mknod(request: Request, parent: NodeId, name: string, mode: number): Answer<Entry>;
  create(request: Request, parent: NodeId, name: string, mode: number, flags: number): Answer<Created>;
  symlink(request: Request, parent: NodeId, name: string, target: string): Answer<Entry>;
  link(request: Request, id: NodeId, parent: NodeId, name: string): Answer<Entry>;
  unlink(request: Request, parent: NodeId, name: string): Answer<undefined>;
  rmdir(request: Request, parent: NodeId, name: string): Answer<undefined>;
  /** `flags`: RENAME_NOREPLACE | RENAME_EXCHANGE (rename(2)). */
  rename(request: Request, from: Place, to: Place, flags: number): Answer<undefined>;
  open(request: Request, id: NodeId, flags: number): Answer<Opened>;
  read(request: Request, id: NodeId, handle: number, offset: number, size: number): Answer<Uint8Array>;
  write(request: Request, id: NodeId, handle: number, offset: number, data: Uint8Array): Answer<number>;
  flush(request: Request, id: NodeId, handle: number): Answer<undefined>;
  release(request: Request, id: NodeId, handle: number): Answer<undefined>;
  /** Entries after `cookie` (0: from the first), in a stable order, until the consumer has enough. */
  readdir(request: Request, id: NodeId, cookie: number): Answer<Iterable<DirEntry>>;
  statfs(request: Request, id: NodeId): Answer<Statfs>;
  /** Events ready now, of `events`; with `wake`, the adapter is told through `Wakes` when that changes. */
  poll(request: Request, id: NodeId, handle: number, events: number, wake: number | undefined): Answer<number>;
}

export type Answer<T> = T | Promise<T>;

/** Who asks, and how the request is known. */
export interface Request {
  readonly caller: Caller;
  /** Number of this request, unique while the device lives; the same for a request that is sent again. */
  readonly unique: number;
  /** The kernel sends it again because a former daemon may not have answered it (FUSE_NOTIFY_RESEND). */
  readonly resent: boolean;
  /** Aborted when the caller got a signal (FUSE_INTERRUPT). Absent where nothing waits. */
  readonly signal?: AbortSignal;
}

/** From the request's header, never from /proc alone. `pid` is a thread's id, 0 if it is not visible to the daemon. */
export interface Caller {
  readonly pid: Pid;
  readonly uid: number;
  readonly gid: number;
}

export interface Place {
  readonly parent: NodeId;
  readonly name: string;
}

export interface Attr {
  readonly id: NodeId;
  /** Type and permission bits (inode(7)). */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly atime: Timespec;
  readonly mtime: Timespec;
  readonly ctime: Timespec;
  /** Whether the kernel may keep these attributes until it is told otherwise. */
  readonly cacheable: boolean;
}

/** A name's answer: `cacheable` speaks of the name, `attr.cacheable` of the attributes. */
export interface Entry {
  readonly attr: Attr;
  readonly cacheable: boolean;
  /** The name resolves only while somebody has it open, or goes by itself: the kernel may not keep it at all. */
  readonly fleeting?: boolean;
}

export interface AttrChanges {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atime?: Timespec | typeof NOW;
  readonly mtime?: Timespec | typeof NOW;
}

/** The moment of the change, which is its ctime (UTIME_NOW, utimensat(2)). */
export const NOW = 'now';

export interface Opened {
  readonly handle: number;
  /** Nothing is done at close: the adapter may spare itself FLUSH. */
  readonly noFlush: boolean;
  /** The file never changes: the kernel may read ahead, and keep what it has read. */
  readonly immutable?: boolean;
  /**
   * Descriptor, open until `release`, of a regular file on disk that has the very same bytes: an adapter that can may have
   * the kernel read and write that. Others call `read` and `write`.
   */
  readonly backing?: number;
}

export interface Created extends Opened {
  readonly entry: Entry;
}

/** Cookies below this one are the adapters' own: those of a listing's entries begin here. */
export const FIRST_COOKIE = 16;

export interface DirEntry {
  readonly name: string;
  /** Pass it to `readdir` to go on behind this entry. */
  readonly cookie: number;
  readonly entry: Entry;
}

export interface Statfs {
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly files: number;
  readonly filesFree: number;
  readonly nameMax: number;
}

/** What a tree tells its adapter, after the request that caused it was answered. */
export interface TreeListener {
  /** The directory's listing or attributes changed other than by a request of the kernel on that directory. */
  directoryChanged(id: NodeId): void;
  /** A listing of processes is given: that it changes has to be told from now on. */
  listed?(id: NodeId): void;
  /** A poller that asked with this `wake` should ask again. */
  wake(wake: number): void;
  /** Control entries, as bits, were unlinked at that time by a request that this tree answered itself. */
  hidden?(serial: Serial, bits: number, atMs: number): void;
}

/** Answered by a fast file system that has to leave a request to the full one. */
export const DEFER = Symbol('defer');

/**
 * Answered for a name that is not there: ENOENT. Whoever makes something looks it up first, and code that mostly throws stays
 * slow: V8 optimizes functions by how often they return.
 */
export const ABSENT = Symbol('absent');

/** What a fast file system may answer besides what was asked for. */
export type Instead = typeof DEFER | typeof ABSENT;

/** What can be answered without waiting: methods may be missing, or answer DEFER. */
export type FastFilesystem = {
  readonly [Method in keyof Filesystem]?: (
    ...args: Parameters<Filesystem[Method]>
  ) => Awaited<ReturnType<Filesystem[Method]>> | Instead;
};

/** The access mode among open(2)'s flags. */
export const O_ACCMODE = 3;
export const O_TRUNC = 0o1000;

/** File type bits (inode(7)). */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;

/** poll(2) bits. */
export const POLLIN = 0x001;
export const POLLRDNORM = 0x040;
