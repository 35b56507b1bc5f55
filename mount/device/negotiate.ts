import fs from 'node:fs';
import { pageSizeBytes } from '../../src/cgroup/page-size.ts';
import { FsError } from '../../src/errno.ts';
import { FUSE_MAJOR, FUSE_MINOR, FUSE_OLDEST_MINOR, INIT_FLAG_BITS, MAX_DATA_BYTES, type InitFlag } from './abi.ts';
import type { Reader, Writer } from './cursor.ts';

/** `fuse_init_in`, the first request on a new connection. */
export interface InitArgs {
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: readonly InitFlag[];
}

/** What both sides agreed on. Plain JSON: kept on disk, since a later daemon on the same device gets no INIT. */
export interface Negotiated {
  readonly minor: number;
  readonly maxWriteBytes: number;
  readonly flags: readonly InitFlag[];
}

/** The answer to INIT; without `negotiated` the kernel asks again with the major number it is told. */
export interface InitAnswer {
  readonly maxReadahead: number;
  readonly negotiated: Negotiated | undefined;
}

/**
 * What is asked for, as far as the kernel has it; everything else stays off. Off on purpose: READDIRPLUS_AUTO (a listing
 * should fill the caches at once), CACHE_SYMLINKS (what names a pid depends on the reader), DONT_MASK (the kernel
 * applies the umask), WRITEBACK_CACHE. AUTO_INVAL_DATA has the kernel compare times before it takes a listing from its
 * cache (fs/fuse/readdir.c, fuse_readdir_cached): a reply that a notification overtook is not kept for ever.
 */
const WANTED: readonly InitFlag[] = [
  'ASYNC_READ',
  'ATOMIC_O_TRUNC',
  'BIG_WRITES',
  'AUTO_INVAL_DATA',
  'DO_READDIRPLUS',
  'PARALLEL_DIROPS',
  'MAX_PAGES',
  'NO_OPENDIR_SUPPORT',
  'INIT_EXT',
  'HAS_EXPIRE_ONLY',
  'PASSTHROUGH',
  'NO_EXPORT_SUPPORT',
  'HAS_RESEND',
];

/**
 * `max_stack_depth`: files are passed through to file systems that are not stacked on others, and overlayfs may still be on
 * top of this one.
 */
const PASSTHROUGH_DEPTH = 1;

/** What came with Linux 6.9, and older ones have to do without. */
export const SINCE_6_9: readonly InitFlag[] = ['HAS_RESEND', 'PASSTHROUGH'];

const PAGE_BYTES = pageSizeBytes(fs);
/** Times are exact to the nanosecond. */
const TIME_GRANULARITY_NS = 1;
const FLAG_NAMES = Object.keys(INIT_FLAG_BITS) as InitFlag[];

/** Throws EPROTO for a kernel older than 7.31 (Linux 5.4). */
export function negotiate({ major, minor, maxReadahead, flags }: InitArgs): InitAnswer {
  if (major > FUSE_MAJOR) return { maxReadahead, negotiated: undefined };
  if (major < FUSE_MAJOR || minor < FUSE_OLDEST_MINOR) {
    const needed = `${FUSE_MAJOR}.${FUSE_OLDEST_MINOR}`;
    throw new FsError(
      'EPROTO',
      `This kernel speaks FUSE ${major}.${minor}, ${needed} is needed: use Linux 5.4 or newer`,
    );
  }
  return {
    maxReadahead,
    negotiated: {
      minor: Math.min(minor, FUSE_MINOR),
      maxWriteBytes: MAX_DATA_BYTES,
      flags: WANTED.filter((flag) => flags.includes(flag)),
    },
  };
}

/** `fuse_init_in`: 16 bytes, and `flags2` behind them when INIT_EXT is set (7.36). */
export function decodeInit(reader: Reader): InitArgs {
  const major = reader.u32();
  const minor = reader.u32();
  const maxReadahead = reader.u32();
  const low = reader.u32();
  const high = hasBit(low, INIT_FLAG_BITS.INIT_EXT) ? reader.u32() : 0;
  const flags = FLAG_NAMES.filter((name) => hasBit(...wordOf(name, low, high)));
  return { major, minor, maxReadahead, flags };
}

/** `fuse_init_out`, 64 bytes for every minor that is accepted. */
export function encodeInit(writer: Writer, { maxReadahead, negotiated }: InitAnswer): void {
  const flags = negotiated?.flags ?? [];
  writer.u32(FUSE_MAJOR);
  writer.u32(negotiated?.minor ?? FUSE_MINOR);
  writer.u32(maxReadahead);
  writer.u32(bits(flags, 0));
  writer.u16(0); // max_background: the kernel's default
  writer.u16(0); // congestion_threshold: likewise
  writer.u32(MAX_DATA_BYTES);
  writer.u32(TIME_GRANULARITY_NS);
  writer.u16(pagesOf(MAX_DATA_BYTES, PAGE_BYTES));
  writer.u16(0); // map_alignment
  writer.u32(bits(flags, WORD_BITS));
  writer.u32(flags.includes('PASSTHROUGH') ? PASSTHROUGH_DEPTH : 0);
  writer.zeros(24);
}

/** What was agreed on with a former daemon; `undefined` on a new device. */
export function readNegotiated(file: string): Negotiated | undefined {
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Negotiated) : undefined;
}

/** Pages that hold so many bytes; one at least. */
export function pagesOf(bytes: number, pageBytes: number): number {
  return Math.ceil(bytes / pageBytes);
}

const WORD_BITS = 32;

function wordOf(name: InitFlag, low: number, high: number): [word: number, bit: number] {
  const bit = INIT_FLAG_BITS[name];
  return bit < WORD_BITS ? [low, bit] : [high, bit - WORD_BITS];
}

function hasBit(word: number, bit: number): boolean {
  return ((word >>> bit) & 1) === 1;
}

/** The 32 bits from bit `first` on, unsigned. */
function bits(flags: readonly InitFlag[], first: number): number {
  return flags
    .map((name) => INIT_FLAG_BITS[name] - first)
    .filter((bit) => bit >= 0 && bit < WORD_BITS)
    .reduce((word, bit) => word + 2 ** bit, 0);
}
