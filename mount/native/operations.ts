import { errnoNumber, FsError } from '../../src/errno.ts';
import { NOW, S_IFDIR, S_IFMT, type Attr } from '../../src/tree/filesystem.ts';
import type { Timespec } from '../../src/time.ts';
import { inodeNumber } from './inode.ts';
import type { LibraryOperation, LibraryOperations, LibraryStat, LibraryStatfs, Reply } from './library.ts';
import type { PathTree } from './path-tree.ts';

/** What is told of every operation that was answered. */
export interface Outcome {
  readonly name: string;
  readonly args: readonly unknown[];
  /** Absent: it was done. */
  readonly error?: unknown;
  readonly milliseconds: number;
}

/** chown(2): an id that stays as it is. */
const UNCHANGED = 2 ** 32 - 1;

/** How far a time may be from the moment it is set at, and be that. */
const PRESENT_MS = 100;

const BLOCK_SIZE = 4096;
/** Unit of `st_blocks` (inode(7)). */
const SECTOR_BYTES = 512;

/** One operation: what is done, and how the answer is told. */
interface Row {
  readonly serve: (tree: PathTree, args: readonly never[]) => Promise<unknown>;
  readonly answer: (reply: Reply, result: never, args: readonly never[]) => void;
}

function row<Args extends readonly unknown[], Result>(
  serve: (tree: PathTree, ...args: Args) => Promise<Result>,
  answer: (reply: Reply, result: Result, args: Args) => void = (reply) => {
    reply(0);
  },
): Row {
  return {
    serve: (tree, args) => serve(tree, ...(args as unknown as Args)),
    answer: (reply, result, args) => {
      answer(reply, result, args as unknown as Args);
    },
  };
}

const tellAttr = (reply: Reply, attr: Attr) => {
  reply(0, statOf(attr));
};
const tellValue = (reply: Reply, value: unknown) => {
  reply(0, value);
};
const tellCount = (reply: Reply, count: number) => {
  reply(count);
};

/** By the names of `struct fuse_operations` (fuse.h). What is absent is ENOSYS, and then the kernel helps itself. */
const ROWS: Readonly<Record<string, Row>> = {
  getattr: row((tree, path: string) => tree.getattr(path), tellAttr),
  fgetattr: row((tree, path: string, handle: number) => tree.fgetattr(path, handle), tellAttr),
  readlink: row((tree, path: string) => tree.readlink(path), tellValue),
  readdir: row(
    (tree, path: string) => tree.readdir(path),
    (reply, entries) => {
      reply(
        0,
        entries.map(({ name }) => name),
        entries.map(({ attr }) => ({ mode: attr.mode, ino: inodeNumber(attr.id), atime: 0, mtime: 0, ctime: 0 })),
      );
    },
  ),
  mkdir: row((tree, path: string, mode: number) => tree.mkdir(path, mode)),
  mknod: row((tree, path: string, mode: number) => tree.mknod(path, mode)),
  symlink: row((tree, target: string, path: string) => tree.symlink(target, path)),
  link: row((tree, from: string, to: string) => tree.link(from, to)),
  unlink: row((tree, path: string) => tree.unlink(path)),
  rmdir: row((tree, path: string) => tree.rmdir(path)),
  rename: row((tree, from: string, to: string) => tree.rename(from, to)),
  chmod: row((tree, path: string, mode: number) => tree.setattr(path, { mode })),
  chown: row((tree, path: string, uid: number, gid: number) =>
    tree.setattr(path, { ...(uid !== UNCHANGED && { uid }), ...(gid !== UNCHANGED && { gid }) }),
  ),
  truncate: row((tree, path: string, size: number) => tree.setattr(path, { size })),
  utimens: row((tree, path: string, atime: number, mtime: number) =>
    tree.setattr(path, { atime: presentOr(atime, mtime), mtime: presentOr(mtime, atime) }),
  ),
  open: row((tree, path: string, flags: number) => tree.open(path, flags), tellValue),
  create: row((tree, path: string, mode: number) => tree.create(path, mode), tellValue),
  read: row(
    (tree, _path: string, handle: number, _buffer: Buffer, size: number, offset: number) =>
      tree.read(handle, offset, size),
    (reply, bytes, [, , buffer]) => {
      buffer.set(bytes);
      reply(bytes.length);
    },
  ),
  write: row(
    // The buffer is the library's, and gone with the answer.
    (tree, _path: string, handle: number, buffer: Buffer, size: number, offset: number) =>
      tree.write(handle, offset, Uint8Array.from(buffer.subarray(0, size))),
    tellCount,
  ),
  flush: row((tree, _path: string, handle: number) => tree.flush(handle)),
  release: row((tree, _path: string, handle: number) => tree.release(handle)),
  statfs: row(
    (tree) => tree.statfs(),
    (reply, { blockSize, blocks, blocksFree, files, filesFree, nameMax }) => {
      const told: LibraryStatfs = {
        ...{ bsize: blockSize, frsize: blockSize, blocks, bfree: blocksFree, bavail: blocksFree },
        ...{ files, ffree: filesFree, favail: filesFree, namemax: nameMax },
      };
      reply(0, told);
    },
  ),
};

/** The operations for the library. `onDone` is told of each; it must not throw. */
export function operationsOf(tree: PathTree, onDone: (outcome: Outcome) => void): LibraryOperations {
  return Object.fromEntries(Object.entries(ROWS).map(([name, row]) => [name, operation(name, row)]));

  function operation(name: string, { serve, answer }: Row): LibraryOperation {
    return (...given) => {
      const args = given.slice(0, -1) as never[];
      const reply = given.at(-1) as Reply;
      void run(name, args, async () => {
        const result = await serve(tree, args);
        return () => {
          answer(reply, result as never, args);
        };
      }).then((error) => {
        if (error !== undefined) reply(-errnoNumber(error instanceof FsError ? error.errno : 'EIO'));
      });
    };
  }

  /** What went wrong, which is yet to be told to the caller. */
  async function run(name: string, args: readonly unknown[], work: () => Promise<() => void>): Promise<unknown> {
    const begun = performance.now();
    let error: unknown;
    try {
      (await work())();
    } catch (cause) {
      error = cause;
    }
    onDone({ name, args, error, milliseconds: performance.now() - begun });
    return error;
  }
}

function statOf({ id, mode, uid, gid, size, nlink, atime, mtime, ctime }: Attr): LibraryStat {
  const blocks = (mode & S_IFMT) === S_IFDIR ? 0 : Math.ceil(size / SECTOR_BYTES);
  const times = { atime: milliseconds(atime), mtime: milliseconds(mtime), ctime: milliseconds(ctime) };
  return { mode, uid, gid, size, nlink, ino: inodeNumber(id), blksize: BLOCK_SIZE, blocks, ...times };
}

function milliseconds({ sec, nsec }: Timespec): number {
  return sec * 1000 + Math.floor(nsec / 1_000_000);
}

/**
 * The kernel says which times are the present (UTIME_NOW, utimensat(2)), and the library does not pass that on: two that
 * are the same, and are not past yet, are taken for it.
 */
function presentOr(ms: number, other: number): Timespec | typeof NOW {
  return ms === other && Math.abs(Date.now() - ms) < PRESENT_MS ? NOW : timespec(ms);
}

function timespec(ms: number): Timespec {
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1_000_000 };
}
