/**
 * Numbers of the FUSE kernel protocol 7.45, as `linux/fuse.h` has them. Constants only; layouts of structs are in the
 * rows that read and write them.
 */

export const FUSE_MAJOR = 7;
/** The minor this daemon speaks; the lesser of both sides' counts. */
export const FUSE_MINOR = 45;
/** 7.31 is Linux 5.4: with it come all structs in their present size and zero-message opendir (7.29). */
export const FUSE_OLDEST_MINOR = 31;

/** `enum fuse_opcode`. */
export const OPCODES = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

export type OpcodeName = keyof typeof OPCODES;

/** INIT flags by bit number; bits 32 and up travel in `flags2` (INIT_EXT). */
export const INIT_FLAG_BITS = {
  ASYNC_READ: 0,
  POSIX_LOCKS: 1,
  ATOMIC_O_TRUNC: 3,
  EXPORT_SUPPORT: 4,
  BIG_WRITES: 5,
  DONT_MASK: 6,
  SPLICE_WRITE: 7,
  SPLICE_MOVE: 8,
  SPLICE_READ: 9,
  FLOCK_LOCKS: 10,
  HAS_IOCTL_DIR: 11,
  AUTO_INVAL_DATA: 12,
  DO_READDIRPLUS: 13,
  READDIRPLUS_AUTO: 14,
  ASYNC_DIO: 15,
  WRITEBACK_CACHE: 16,
  NO_OPEN_SUPPORT: 17,
  PARALLEL_DIROPS: 18,
  HANDLE_KILLPRIV: 19,
  POSIX_ACL: 20,
  ABORT_ERROR: 21,
  MAX_PAGES: 22,
  CACHE_SYMLINKS: 23,
  NO_OPENDIR_SUPPORT: 24,
  EXPLICIT_INVAL_DATA: 25,
  SUBMOUNTS: 27,
  HANDLE_KILLPRIV_V2: 28,
  SETXATTR_EXT: 29,
  INIT_EXT: 30,
  SECURITY_CTX: 32,
  CREATE_SUPP_GROUP: 34,
  HAS_EXPIRE_ONLY: 35,
  PASSTHROUGH: 37,
  NO_EXPORT_SUPPORT: 38,
  HAS_RESEND: 39,
  ALLOW_IDMAP: 40,
} as const;

export type InitFlag = keyof typeof INIT_FLAG_BITS;

export const FOPEN_DIRECT_IO = 1 << 0;
export const FOPEN_NOFLUSH = 1 << 5;
export const FOPEN_PASSTHROUGH = 1 << 7;

/** `fuse_setattr_in.valid`. */
export const FATTR_MODE = 1 << 0;
export const FATTR_UID = 1 << 1;
export const FATTR_GID = 1 << 2;
export const FATTR_SIZE = 1 << 3;
export const FATTR_ATIME = 1 << 4;
export const FATTR_MTIME = 1 << 5;
export const FATTR_ATIME_NOW = 1 << 7;
export const FATTR_MTIME_NOW = 1 << 8;

export const FUSE_POLL_SCHEDULE_NOTIFY = 1 << 0;
export const FUSE_EXPIRE_ONLY = 1 << 0;

/** `enum fuse_notify_code`. */
export const NOTIFY_POLL = 1;
export const NOTIFY_INVAL_INODE = 2;
export const NOTIFY_INVAL_ENTRY = 3;
export const NOTIFY_RESEND = 7;
export const NOTIFY_INC_EPOCH = 8;

/** Sizes of structs, in bytes. */
export const OUT_HEADER_BYTES = 16;
const ATTR_BYTES = 88;
export const ENTRY_OUT_BYTES = 40 + ATTR_BYTES;
/** `fuse_dirent` without its name; the whole is padded to {@link DIRENT_ALIGN}. */
export const DIRENT_BYTES = 24;
export const DIRENT_ALIGN = 8;

/** Most bytes of data in one WRITE, READ, READDIR (`fuse_init_out.max_write`, `max_pages`). */
export const MAX_DATA_BYTES = 128 * 1024;
/**
 * What a `read` of the device must have room for: the kernel refuses a buffer too small for a whole WRITE with EINVAL
 * (`fuse_dev_do_read`). Room for a header, any struct and two names beside the data.
 */
export const REQUEST_BUFFER_BYTES = MAX_DATA_BYTES + 16 * 1024;
/** Room for the longest reply: a header and the data of a READ. */
export const REPLY_BUFFER_BYTES = OUT_HEADER_BYTES + MAX_DATA_BYTES;
