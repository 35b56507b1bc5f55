import { DEFER, NOW, type Attr, type AttrChanges, type DirEntry, type Statfs } from '../../../src/tree/filesystem.ts';
import type { Timespec } from '../../../src/time.ts';
import { decodeSetattr } from '../decode-setattr.ts';
import { encodeAttr, encodeStatfs } from '../encode.ts';
import { encodeDirents, encodeDirentsPlus, listCookie, type ListArgs } from '../encode-dirents.ts';
import { show } from '../trace-text.ts';
import { operation } from './operation.ts';

/** Rows that tell and change what a node `request.nodeid` is: attributes, a link's target, a directory's listing. */

const showAttr = (attr: Attr): string => show.words(show.mode(attr.mode), `size=${attr.size}`);

const GETATTR = operation<undefined, Attr>('GETATTR', {
  /** `fuse_getattr_in`: getattr_flags, dummy, fh. An open file's attributes are its node's. */
  decode(reader) {
    reader.skip(16);
    return undefined;
  },
  serve: (target, request) => (target.getattr ? target.getattr(request, request.nodeid) : DEFER),
  encode: encodeAttr,
  showAnswer: showAttr,
});

const SETATTR = operation<AttrChanges, Attr>('SETATTR', {
  decode: decodeSetattr,
  serve: (target, request, changes) => (target.setattr ? target.setattr(request, request.nodeid, changes) : DEFER),
  encode: encodeAttr,
  showArgs: showChanges,
  showAnswer: showAttr,
});

function showChanges({ mode, uid, gid, size, atime, mtime }: AttrChanges): string {
  const time = (at: Timespec | typeof NOW) => (at === NOW ? at : `${at.sec}.${String(at.nsec).padStart(9, '0')}`);
  return show.words(
    mode !== undefined && `mode=${show.octal(mode)}`,
    uid !== undefined && `uid=${uid}`,
    gid !== undefined && `gid=${gid}`,
    size !== undefined && `size=${size}`,
    atime && `atime=${time(atime)}`,
    mtime && `mtime=${time(mtime)}`,
  );
}

const READLINK = operation<undefined, string>('READLINK', {
  decode: () => undefined,
  serve: (target, request) => (target.readlink ? target.readlink(request, request.nodeid) : DEFER),
  encode(writer, target) {
    writer.text(target);
  },
  showAnswer: show.text,
});

const list = (name: 'READDIR' | 'READDIRPLUS') =>
  operation<ListArgs, Iterable<DirEntry>>(name, {
    /** `fuse_read_in`. There is no handle: OPENDIR is refused, so the kernel opens and caches directories by itself. */
    decode(reader, request) {
      reader.skip(8);
      const offset = reader.u64Clamped();
      const size = reader.u32();
      reader.skip(20);
      return { id: request.nodeid, offset, size };
    },
    serve: (target, request, args) => (target.readdir ? target.readdir(request, args.id, listCookie(args)) : DEFER),
    encode: name === 'READDIRPLUS' ? encodeDirentsPlus : encodeDirents,
    showArgs: ({ offset, size }) => `${offset}+${size}`,
  });

const STATFS = operation<undefined, Statfs>('STATFS', {
  decode: () => undefined,
  serve: (target, request) => (target.statfs ? target.statfs(request, request.nodeid) : DEFER),
  encode: encodeStatfs,
});

export const ATTRIBUTE_OPERATIONS = [GETATTR, SETATTR, READLINK, list('READDIR'), list('READDIRPLUS'), STATFS];
