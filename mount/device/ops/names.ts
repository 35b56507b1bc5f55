import { DEFER, type Created, type Entry, type Place } from '../../../src/tree/filesystem.ts';
import type { NodeId } from '../../../src/tree/node-id.ts';
import type { Reader } from '../cursor.ts';
import type { DeviceRequest } from '../header.ts';
import { encodeCreated, encodeEntry } from '../encode.ts';
import { show, showEntry } from '../trace-text.ts';
import { operation } from './operation.ts';

/** Rows that find, make, move and remove names in the directory `request.nodeid`. */

interface NameArgs {
  readonly name: string;
}

interface MakeArgs extends NameArgs {
  /** The kernel has applied the umask (DONT_MASK is off). */
  readonly mode: number;
}

const decodeName = (reader: Reader): NameArgs => ({ name: reader.cstring() });
const showName = ({ name }: NameArgs): string => show.text(name);

const LOOKUP = operation<NameArgs, Entry>('LOOKUP', {
  decode: decodeName,
  serve: (target, request, { name }) => (target.lookup ? target.lookup(request, request.nodeid, name) : DEFER),
  encode: encodeEntry,
  showArgs: showName,
  showAnswer: showEntry,
});

const MKDIR = operation<MakeArgs, Entry>('MKDIR', {
  /** `fuse_mkdir_in`: mode, umask. */
  decode(reader) {
    const mode = reader.u32();
    reader.skip(4);
    return { mode, name: reader.cstring() };
  },
  serve: (target, request, { name, mode }) =>
    target.mkdir ? target.mkdir(request, request.nodeid, name, mode) : DEFER,
  encode: encodeEntry,
  showArgs: ({ name, mode }) => show.words(show.text(name), show.octal(mode)),
  showAnswer: showEntry,
});

const MKNOD = operation<MakeArgs, Entry>('MKNOD', {
  /** `fuse_mknod_in`: mode, rdev, umask, padding. */
  decode(reader) {
    const mode = reader.u32();
    reader.skip(12);
    return { mode, name: reader.cstring() };
  },
  serve: (target, request, { name, mode }) =>
    target.mknod ? target.mknod(request, request.nodeid, name, mode) : DEFER,
  encode: encodeEntry,
  showArgs: ({ name, mode }) => show.words(show.text(name), show.mode(mode)),
  showAnswer: showEntry,
});

interface CreateArgs extends MakeArgs {
  readonly flags: number;
}

const CREATE = operation<CreateArgs, Created>('CREATE', {
  /** `fuse_create_in`: flags, mode, umask, open_flags. */
  decode(reader) {
    const flags = reader.u32();
    const mode = reader.u32();
    reader.skip(8);
    return { flags, mode, name: reader.cstring() };
  },
  serve: (target, request, { name, mode, flags }) =>
    target.create ? target.create(request, request.nodeid, name, mode, flags) : DEFER,
  encode: encodeCreated,
  showArgs: ({ name, mode, flags }) => show.words(show.text(name), show.mode(mode), `flags=${show.octal(flags)}`),
  showAnswer: ({ entry, handle }) => show.words(showEntry(entry), `fh=${handle}`),
});

interface SymlinkArgs extends NameArgs {
  readonly target: string;
}

const SYMLINK = operation<SymlinkArgs, Entry>('SYMLINK', {
  decode: (reader) => ({ name: reader.cstring(), target: reader.cstring() }),
  serve: (target, request, args) =>
    target.symlink ? target.symlink(request, request.nodeid, args.name, args.target) : DEFER,
  encode: encodeEntry,
  showArgs: ({ name, target }) => show.words(show.text(name), '->', show.text(target)),
  showAnswer: showEntry,
});

interface LinkArgs extends NameArgs {
  readonly id: NodeId;
}

const LINK = operation<LinkArgs, Entry>('LINK', {
  /** `fuse_link_in`: oldnodeid. */
  decode: (reader) => ({ id: reader.u64() as NodeId, name: reader.cstring() }),
  serve: (target, request, { id, name }) => (target.link ? target.link(request, id, request.nodeid, name) : DEFER),
  encode: encodeEntry,
  showArgs: ({ id, name }) => show.words(show.text(name), '=', show.node(id)),
  showAnswer: showEntry,
});

const UNLINK = operation<NameArgs, undefined>('UNLINK', {
  decode: decodeName,
  serve: (target, request, { name }) => (target.unlink ? target.unlink(request, request.nodeid, name) : DEFER),
  showArgs: showName,
});

const RMDIR = operation<NameArgs, undefined>('RMDIR', {
  decode: decodeName,
  serve: (target, request, { name }) => (target.rmdir ? target.rmdir(request, request.nodeid, name) : DEFER),
  showArgs: showName,
});

interface RenameArgs {
  readonly from: Place;
  readonly to: Place;
  readonly flags: number;
}

/** Both names follow the struct, the old one first. */
function decodeRename(reader: Reader, request: DeviceRequest, hasFlags: boolean): RenameArgs {
  const parent = reader.u64() as NodeId;
  const flags = hasFlags ? reader.u32() : 0;
  if (hasFlags) reader.skip(4);
  const from = { parent: request.nodeid, name: reader.cstring() };
  return { from, to: { parent, name: reader.cstring() }, flags };
}

const rename = (name: 'RENAME' | 'RENAME2') =>
  operation<RenameArgs, undefined>(name, {
    /** `fuse_rename_in`: newdir; `fuse_rename2_in`: newdir, flags, padding. */
    decode: (reader, request) => decodeRename(reader, request, name === 'RENAME2'),
    serve: (target, request, { from, to, flags }) => (target.rename ? target.rename(request, from, to, flags) : DEFER),
    showArgs: ({ from, to, flags }) =>
      show.words(show.text(from.name), '->', show.node(to.parent), show.text(to.name), flags && `flags=${flags}`),
  });

export const NAME_OPERATIONS = [
  LOOKUP,
  MKDIR,
  MKNOD,
  CREATE,
  SYMLINK,
  LINK,
  UNLINK,
  RMDIR,
  rename('RENAME'),
  rename('RENAME2'),
];
