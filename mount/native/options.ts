import { NATIVE_SOURCE } from '../device/mountpoint.ts';

/**
 * Options of libfuse 2 (mount.fuse(8)) that the library has no name for; they ride on one that it has. `hard_remove`: an
 * open file that is unlinked is not renamed to `.fuse_hidden…`; `use_ino`: inode numbers are ours; `direct_io`: a text is
 * what the open found, whatever size the kernel remembers, and a write comes in one piece.
 */
const MORE = ['use_ino', 'hard_remove', 'direct_io'];

/**
 * Nobody tells the kernel what changes by itself, so it may keep nothing; a name that was looked up in vain it keeps only
 * where a time is given. No time limit: who waits gets an answer.
 */
export const LIBRARY_OPTIONS = {
  timeout: false,
  defaultPermissions: true,
  subtype: 'nsdir',
  fsname: [NATIVE_SOURCE, ...MORE].join(','),
  // Words: the number 0 is taken for none.
  entryTimeout: '0',
  attrTimeout: '0',
};
