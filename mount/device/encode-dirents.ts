import { FIRST_COOKIE, S_IFDIR, S_IFMT, type DirEntry } from '../../src/tree/filesystem.ts';
import { ROOT_ID, type NodeId } from '../../src/tree/node-id.ts';
import { utf8Length } from '../../src/utf8.ts';
import { DIRENT_ALIGN, DIRENT_BYTES, ENTRY_OUT_BYTES } from './abi.ts';
import type { Writer } from './cursor.ts';
import { encodeEntry } from './encode.ts';

const DOT_COOKIE = 1;
const DOTDOT_COOKIE = 2;
/** Inode number of `..`, which a node does not know: what libfuse gives. Not 0, which readdir(3) may pass over. */
const UNKNOWN_INODE = 0xffff_ffff;

/** READDIR and READDIRPLUS: entries behind `offset` (the cookie of the last one got, 0 at first), in `size` bytes. */
export interface ListArgs {
  readonly id: NodeId;
  readonly offset: number;
  readonly size: number;
}

/** The cookie to ask the file system with: `.` and `..` come before its first entry. */
export function listCookie({ offset }: ListArgs): number {
  return offset < FIRST_COOKIE ? 0 : offset;
}

/** `fuse_dirent`s until the next would not fit. The iterable is left as soon as that is known. */
export function encodeDirents(writer: Writer, entries: Iterable<DirEntry>, args: ListArgs): void {
  pack(writer, entries, args, false);
}

/** `fuse_direntplus`s likewise. */
export function encodeDirentsPlus(writer: Writer, entries: Iterable<DirEntry>, args: ListArgs): void {
  pack(writer, entries, args, true);
}

function pack(writer: Writer, entries: Iterable<DirEntry>, args: ListArgs, plus: boolean): void {
  const end = writer.position + Math.min(args.size, writer.remaining);
  if (!packDots(writer, args, plus, end)) return;
  for (const { name, cookie, entry } of entries) {
    if (!fits(writer, name, plus, end)) return;
    if (plus) encodeEntry(writer, entry);
    dirent(writer, name, entry.attr.id, cookie, entry.attr.mode);
  }
}

/** With entry_out.nodeid 0 the kernel takes them for what they are and looks nothing up (`fuse_direntplus_link`). */
function packDots(writer: Writer, { id, offset }: ListArgs, plus: boolean, end: number): boolean {
  if (offset < DOT_COOKIE) {
    if (!fits(writer, '.', plus, end)) return false;
    if (plus) writer.zeros(ENTRY_OUT_BYTES);
    dirent(writer, '.', id, DOT_COOKIE, S_IFDIR);
  }
  if (offset < DOTDOT_COOKIE) {
    if (!fits(writer, '..', plus, end)) return false;
    if (plus) writer.zeros(ENTRY_OUT_BYTES);
    dirent(writer, '..', id === ROOT_ID ? ROOT_ID : UNKNOWN_INODE, DOTDOT_COOKIE, S_IFDIR);
  }
  return true;
}

function fits(writer: Writer, name: string, plus: boolean, end: number): boolean {
  const bytes = align(DIRENT_BYTES + utf8Length(name)) + (plus ? ENTRY_OUT_BYTES : 0);
  return writer.position + bytes <= end;
}

/** `type` is the file type's part of the mode, as in `DT_*` (readdir(3)). */
function dirent(writer: Writer, name: string, inode: number, cookie: number, mode: number): void {
  const bytes = utf8Length(name);
  writer.u64(inode);
  writer.u64(cookie);
  writer.u32(bytes);
  writer.u32((mode & S_IFMT) >> 12);
  writer.text(name);
  writer.zeros(align(bytes) - bytes);
}

function align(bytes: number): number {
  return Math.ceil(bytes / DIRENT_ALIGN) * DIRENT_ALIGN;
}
