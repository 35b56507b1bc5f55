import type { OpcodeName } from '../../../../mount/device/abi.ts';
import type { Filesystem } from '../../../../src/tree/filesystem.ts';
import { ATTR, attrOut, ENTRY, entryOut, junk, pad, str, u32, u64 } from './support.ts';

/** One request as the kernel sends it, on node 1; what the tree is asked, after the request; its answer, in bytes. */
export interface Sample {
  readonly op: OpcodeName;
  readonly body: readonly Buffer[];
  readonly call: readonly [keyof Filesystem, ...unknown[]];
  readonly answer: unknown;
  readonly reply: readonly Buffer[];
}

const FOREVER = 0xffff_ffff;
const ENTRY_REPLY = entryOut(ATTR, 3, { name: FOREVER, attr: FOREVER });
const OPENED = { handle: 0x1_0000_0002, noFlush: true };
const STATFS = { blockSize: 4096, blocks: 100, blocksFree: 60, files: 50, filesFree: 40, nameMax: 255 };

/** In the order of `linux/fuse.h`, every opcode a file system is asked about; listings have a test of their own. */
export const SAMPLES: readonly Sample[] = [
  { op: 'LOOKUP', body: [str('web')], call: ['lookup', 1, 'web'], answer: ENTRY, reply: [ENTRY_REPLY] },
  { op: 'LOOKUP', body: [str('wéb😀')], call: ['lookup', 1, 'wéb😀'], answer: ENTRY, reply: [ENTRY_REPLY] },
  {
    op: 'GETATTR',
    body: [u32(1), junk(4), u64(9)],
    call: ['getattr', 1],
    answer: ATTR,
    reply: [attrOut(ATTR, 3, FOREVER)],
  },
  {
    op: 'SETATTR',
    body: setattr(0b11_1111, {
      size: 5,
      atime: -2,
      mtime: 2 ** 33,
      atimeNs: 6,
      mtimeNs: 7,
      mode: 0o4711,
      uid: 8,
      gid: 9,
    }),
    call: [
      'setattr',
      1,
      { mode: 0o4711, uid: 8, gid: 9, size: 5, atime: { sec: -2, nsec: 6 }, mtime: { sec: 2 ** 33, nsec: 7 } },
    ],
    answer: ATTR,
    reply: [attrOut(ATTR, 3, FOREVER)],
  },
  { op: 'READLINK', body: [], call: ['readlink', 1], answer: '/proc/5é', reply: [Buffer.from('/proc/5é')] },
  {
    op: 'SYMLINK',
    body: [str('4321'), str('/namespaces/web')],
    call: ['symlink', 1, '4321', '/namespaces/web'],
    answer: ENTRY,
    reply: [ENTRY_REPLY],
  },
  {
    op: 'MKNOD',
    body: [u32(0o100644), u32(5), u32(0o22), junk(4), str('f')],
    call: ['mknod', 1, 'f', 0o100644],
    answer: ENTRY,
    reply: [ENTRY_REPLY],
  },
  {
    op: 'MKDIR',
    body: [u32(0o755), u32(0o22), str('web')],
    call: ['mkdir', 1, 'web', 0o755],
    answer: ENTRY,
    reply: [ENTRY_REPLY],
  },
  { op: 'UNLINK', body: [str('.state')], call: ['unlink', 1, '.state'], answer: undefined, reply: [] },
  { op: 'RMDIR', body: [str('web')], call: ['rmdir', 1, 'web'], answer: undefined, reply: [] },
  {
    op: 'RENAME',
    body: [u64(33), str('a'), str('b')],
    call: ['rename', { parent: 1, name: 'a' }, { parent: 33, name: 'b' }, 0],
    answer: undefined,
    reply: [],
  },
  {
    op: 'RENAME2',
    body: [u64(33), u32(2), junk(4), str('a'), str('b')],
    call: ['rename', { parent: 1, name: 'a' }, { parent: 33, name: 'b' }, 2],
    answer: undefined,
    reply: [],
  },
  { op: 'LINK', body: [u64(44), str('new')], call: ['link', 44, 1, 'new'], answer: ENTRY, reply: [ENTRY_REPLY] },
  {
    op: 'OPEN',
    body: [u32(0o101002), junk(4)],
    call: ['open', 1, 0o101002],
    answer: OPENED,
    reply: [u64(OPENED.handle), u32(0b10_0001), u32(0)],
  },
  {
    op: 'OPEN',
    body: [u32(0), junk(4)],
    call: ['open', 1, 0],
    answer: { handle: 5, noFlush: false },
    reply: [u64(5), u32(1), u32(0)],
  },
  {
    // Kept by the kernel while it is open, and not until the next open.
    op: 'OPEN',
    body: [u32(0), junk(4)],
    call: ['open', 1, 0],
    answer: { handle: 5, noFlush: true, immutable: true },
    reply: [u64(5), u32(0b10_0000), u32(0)],
  },
  {
    op: 'READ',
    body: [u64(9), u64(2 ** 40), u32(100), u32(2), u64(2n ** 64n - 1n), u32(0), junk(4)],
    call: ['read', 1, 9, 2 ** 40, 100],
    answer: Buffer.from('running\n'),
    reply: [Buffer.from('running\n')],
  },
  {
    op: 'WRITE',
    body: [u64(9), u64(3), u32(7), u32(2), u64(2n ** 64n - 1n), u32(1), junk(4), Buffer.from('running')],
    call: ['write', 1, 9, 3, Buffer.from('running')],
    answer: 7,
    reply: [u32(7), u32(0)],
  },
  {
    op: 'STATFS',
    body: [],
    call: ['statfs', 1],
    answer: STATFS,
    reply: [u64(100), u64(60), u64(60), u64(50), u64(40), u32(4096), u32(255), u32(4096), pad(28)],
  },
  {
    op: 'RELEASE',
    body: [u64(9), u32(0), u32(1), u64(2n ** 64n - 1n)],
    call: ['release', 1, 9],
    answer: undefined,
    reply: [],
  },
  {
    op: 'FLUSH',
    body: [u64(9), u32(0), junk(4), u64(2n ** 64n - 1n)],
    call: ['flush', 1, 9],
    answer: undefined,
    reply: [],
  },
  {
    op: 'CREATE',
    body: [u32(0o302), u32(0o100600), u32(0o22), junk(4), str('.state')],
    call: ['create', 1, '.state', 0o100600, 0o302],
    answer: { ...OPENED, entry: ENTRY },
    reply: [ENTRY_REPLY, u64(OPENED.handle), u32(0b10_0001), u32(0)],
  },
  {
    op: 'POLL',
    body: [u64(9), u64(77), u32(1), u32(0x45)],
    call: ['poll', 1, 9, 0x45, 77],
    answer: 0x41,
    reply: [u32(0x41), u32(0)],
  },
  {
    op: 'POLL',
    body: [u64(9), u64(77), u32(0), u32(0x45)],
    call: ['poll', 1, 9, 0x45, undefined],
    answer: 0,
    reply: [u32(0), u32(0)],
  },
];

interface SetattrFields {
  readonly size?: number;
  readonly atime?: number;
  readonly mtime?: number;
  readonly atimeNs?: number;
  readonly mtimeNs?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** `struct fuse_setattr_in`; fields that are not given hold junk. */
export function setattr(valid: number, fields: SetattrFields = {}): Buffer[] {
  const wide = (value: number | undefined) => (value === undefined ? junk(8) : u64(value));
  const narrow = (value: number | undefined) => (value === undefined ? junk(4) : u32(value));
  return [
    u32(valid),
    junk(4),
    junk(8),
    wide(fields.size),
    junk(8),
    wide(fields.atime),
    wide(fields.mtime),
    junk(8),
    narrow(fields.atimeNs),
    narrow(fields.mtimeNs),
    junk(4),
    narrow(fields.mode),
    junk(4),
    narrow(fields.uid),
    narrow(fields.gid),
    junk(4),
  ];
}

/** `struct fuse_read_in`, as READDIR and READDIRPLUS have it. */
export function readIn(offset: number, size: number): Buffer {
  return Buffer.concat([u64(0), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0)]);
}

/** `struct fuse_init_in`: all 64 bytes, or the 16 of a kernel before INIT_EXT. */
export function initIn(given: { major?: number; minor?: number; flags?: number; flags2?: number }): Buffer {
  const short = Buffer.concat([u32(given.major ?? 7), u32(given.minor ?? 45), u32(0x2_0000), u32(given.flags ?? 0)]);
  return given.flags2 === undefined ? short : Buffer.concat([short, u32(given.flags2), pad(44)]);
}
