import {
  S_IFDIR,
  S_IFMT,
  type Attr,
  type Created,
  type Entry,
  type Opened,
  type Statfs,
} from '../../src/tree/filesystem.ts';
import { FOPEN_DIRECT_IO, FOPEN_NOFLUSH, FOPEN_PASSTHROUGH } from './abi.ts';
import type { Writer } from './cursor.ts';

/** How long the kernel may keep what is invalidated by notification: for ever, near enough. */
const UNLIMITED_SECONDS = 0xffff_ffff;
/** How long the kernel may keep a name that comes and goes by itself. */
const NAME_TTL_SECONDS = 1;

const BLOCK_SIZE = 4096;
/** Unit of `st_blocks` (inode(7)). */
const SECTOR_BYTES = 512;

/** `fuse_attr_out`. */
export function encodeAttr(writer: Writer, attr: Attr): void {
  writer.u64(attr.cacheable ? UNLIMITED_SECONDS : 0);
  writer.u64(0); // attr_valid_nsec, dummy
  attributes(writer, attr);
}

/** `fuse_entry_out`. The node's generation is always 0: a node id is used again by images only, which no open outlasts. */
export function encodeEntry(writer: Writer, { attr, cacheable, fleeting }: Entry): void {
  const briefly = fleeting ? 0 : NAME_TTL_SECONDS;
  writer.u64(attr.id);
  writer.u64(0); // generation
  writer.u64(cacheable ? UNLIMITED_SECONDS : briefly);
  writer.u64(attr.cacheable ? UNLIMITED_SECONDS : 0);
  writer.u64(0); // entry_valid_nsec, attr_valid_nsec
  attributes(writer, attr);
}

/** `backingId`: the kernel reads and writes the file of that number itself (`Passthrough`). */
export interface Passing {
  readonly backingId?: number;
}

/**
 * `fuse_open_out`. Direct: a text is what the open found, whatever size the kernel remembers. What never changes is read
 * ahead and kept while it is open, not until the next open (FOPEN_KEEP_CACHE): by then its id may be another's.
 */
export function encodeOpened(writer: Writer, { handle, noFlush, immutable, backingId }: Opened & Passing): void {
  const caching = immutable ? 0 : FOPEN_DIRECT_IO;
  const way = backingId === undefined ? caching : FOPEN_PASSTHROUGH;
  writer.u64(handle);
  writer.u32(noFlush ? way | FOPEN_NOFLUSH : way);
  writer.u32(backingId ?? 0);
}

export function encodeCreated(writer: Writer, created: Created & Passing): void {
  encodeEntry(writer, created.entry);
  encodeOpened(writer, created);
}

/** `fuse_statfs_out`. */
export function encodeStatfs(writer: Writer, statfs: Statfs): void {
  writer.u64(statfs.blocks);
  writer.u64(statfs.blocksFree);
  writer.u64(statfs.blocksFree); // bavail
  writer.u64(statfs.files);
  writer.u64(statfs.filesFree);
  writer.u32(statfs.blockSize);
  writer.u32(statfs.nameMax);
  writer.u32(statfs.blockSize); // frsize
  writer.zeros(28);
}

/** For a reply without a body. */
export function encodeNothing(): void {
  // The header alone says it.
}

/** `fuse_attr`. */
function attributes(writer: Writer, attr: Attr): void {
  writer.u64(attr.id);
  writer.u64(attr.size);
  writer.u64((attr.mode & S_IFMT) === S_IFDIR ? 0 : Math.ceil(attr.size / SECTOR_BYTES));
  writer.u64(attr.atime.sec);
  writer.u64(attr.mtime.sec);
  writer.u64(attr.ctime.sec);
  writer.u32(attr.atime.nsec);
  writer.u32(attr.mtime.nsec);
  writer.u32(attr.ctime.nsec);
  writer.u32(attr.mode);
  writer.u32(attr.nlink);
  writer.u32(attr.uid);
  writer.u32(attr.gid);
  writer.u32(0); // rdev
  writer.u32(BLOCK_SIZE);
  writer.u32(0); // flags
}
