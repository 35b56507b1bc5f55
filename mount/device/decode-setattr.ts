import type { Timespec } from '../../src/time.ts';
import { NOW, type AttrChanges } from '../../src/tree/filesystem.ts';
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_GID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
} from './abi.ts';
import type { Reader } from './cursor.ts';

/**
 * `fuse_setattr_in`: what `valid` names, and nothing else; so a time under UTIME_OMIT is absent. The handle of an
 * ftruncate and the lock owner say nothing that matters here. ctime is the file system's own (FATTR_CTIME comes with
 * WRITEBACK_CACHE only).
 */
export function decodeSetattr(reader: Reader): AttrChanges {
  const valid = reader.u32();
  reader.skip(12); // padding, fh
  const size = reader.u64Clamped();
  reader.skip(8); // lock_owner
  const atimeSec = reader.i64Clamped();
  const mtimeSec = reader.i64Clamped();
  reader.skip(8); // ctime
  const atime = { sec: atimeSec, nsec: reader.u32() };
  const mtime = { sec: mtimeSec, nsec: reader.u32() };
  reader.skip(4); // ctimensec
  const mode = reader.u32();
  reader.skip(4);
  const uid = reader.u32();
  const gid = reader.u32();
  reader.skip(4);
  const asked = (bit: number): boolean => (valid & bit) !== 0;
  const time = (bit: number, nowBit: number, given: Timespec): Timespec | typeof NOW | undefined =>
    asked(nowBit) ? NOW : asked(bit) ? given : undefined;
  return present({
    mode: asked(FATTR_MODE) ? mode : undefined,
    uid: asked(FATTR_UID) ? uid : undefined,
    gid: asked(FATTR_GID) ? gid : undefined,
    size: asked(FATTR_SIZE) ? size : undefined,
    atime: time(FATTR_ATIME, FATTR_ATIME_NOW, atime),
    mtime: time(FATTR_MTIME, FATTR_MTIME_NOW, mtime),
  });
}

type Optional<T> = { readonly [Key in keyof T]: T[Key] | undefined };

/** Without the keys that are undefined: to the tree, an absent key is what is left alone. */
function present(changes: Optional<Required<AttrChanges>>): AttrChanges {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}
