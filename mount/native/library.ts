import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { FsError } from '../../src/errno.ts';
import { loadKoffi } from '../../src/kernel/load-koffi.ts';

/** `struct stat` as the library takes it: times are milliseconds, the inode number has 32 bits. */
export interface LibraryStat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  readonly ino: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** `struct statvfs`, likewise. */
export interface LibraryStatfs {
  readonly bsize: number;
  readonly frsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly favail: number;
  readonly namemax: number;
}

/** The answer to one operation: 0, a negative errno, or a number of bytes; then what the operation gives. */
export type Reply = (status: number, ...values: unknown[]) => void;

/** An operation as the library calls it: its arguments, then the reply. */
export type LibraryOperation = (...argsAndReply: readonly unknown[]) => void;

/** By the names of `struct fuse_operations` (fuse.h). */
export type LibraryOperations = Readonly<Record<string, LibraryOperation>>;

/** One mount of the library, with its faults mended as far as that can be done from outside. */
export interface LibraryMount {
  /** Mounts; `done` is called when the kernel has been answered for the first time, or with what went wrong. */
  mount(done: (error: Error | null) => void): void;
}

type Handler = (native: Buffer, ...rest: unknown[]) => unknown;

interface FuseClass {
  new (mountPoint: string, operations: LibraryOperations, options: object): FuseInstance;
}

interface FuseInstance extends LibraryMount {
  readonly ops: Readonly<Record<string, LibraryOperation | undefined>>;
  _makeHandlerArray(): Handler[];
}

/** Index of utimens among the library's handlers (`op_utimens`, fuse-native.c). */
const UTIMENS = 12;

/** Where its `fuse_thread_locals_t` has the two times of utimens, on 64-bit machines. */
const ATIME_OFFSET = 104;
const MTIME_OFFSET = 112;

const load = createRequire(import.meta.url);

/** libfuse's loop with threads that stay (loop.c), where it was built. */
const LOOP = fileURLToPath(new URL('../../fuse-loop.so', import.meta.url));

/** What keeps the library from being used, in one line; `undefined` if it can be loaded. */
export function libraryProblem(): string | undefined {
  try {
    load('fuse-native');
    return undefined;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n')[0];
  }
}

/** A mount that is not made yet. Throws ENOTSUP where the library cannot be loaded. */
export function openLibrary(mountPoint: string, operations: LibraryOperations, options: object): LibraryMount {
  let library: FuseClass;
  try {
    // What is there for all to see comes before what the library itself was linked with.
    if (existsSync(LOOP)) loadKoffi().load(LOOP, { global: true });
    library = load('fuse-native') as FuseClass;
  } catch (cause) {
    throw new FsError('ENOTSUP', 'Cannot load fuse-native; see nsdir doctor', { cause });
  }
  return new (mended(library))(mountPoint, operations, options);
}

/**
 * The library with two faults mended: `utimens` is given the time of access twice, so the other is taken from where the
 * library keeps it; and attributes of an open file are asked for by its path, so that one without a name has none.
 */
function mended(library: FuseClass): FuseClass {
  return class extends library {
    #native: Buffer | undefined;

    override _makeHandlerArray(): Handler[] {
      const handlers = super._makeHandlerArray();
      const given = handlers[UTIMENS];
      if (given) {
        handlers[UTIMENS] = (native, ...rest) => {
          this.#native = native;
          return given(native, ...rest);
        };
      }
      return handlers;
    }

    /** Called while the handler runs. */
    _op_utimens(signal: (status: number) => void, path: string, atimeLow: number, atimeHigh: number): void {
      const atime = atimeLow + atimeHigh * 2 ** 32;
      this.ops['utimens']?.(path, atime, modificationTime(this.#native, atime), signal);
    }

    _op_fgetattr(signal: (status: number, stat?: unknown) => void, path: string, handle: number): void {
      this.ops['fgetattr']?.(path, handle, (status: number, stat?: LibraryStat) => {
        signal(status, statWords(stat));
      });
    }
  };
}

/** The time of access itself where the memory is not laid out as it is known. */
function modificationTime(native: Buffer | undefined, atime: number): number {
  if (!native || native.length < MTIME_OFFSET + 8) return atime;
  if (Number(native.readBigUInt64LE(ATIME_OFFSET)) !== atime) return atime;
  return Number(native.readBigUInt64LE(MTIME_OFFSET));
}

/** As the library's own `getStatArray`, which it keeps to itself. */
function statWords(stat: LibraryStat | undefined): Uint32Array {
  const words = new Uint32Array(18);
  if (!stat) return words;
  const double = (value: number) => [value % 2 ** 32, Math.floor(value / 2 ** 32)];
  words.set([
    ...[stat.mode, stat.uid, stat.gid, ...double(stat.size)],
    ...[0, stat.nlink, stat.ino, 0, stat.blksize, ...double(stat.blocks)],
    ...double(stat.atime),
    ...double(stat.mtime),
    ...double(stat.ctime),
  ]);
  return words;
}
