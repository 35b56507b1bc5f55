import { Reader, Writer } from '../../../../mount/device/cursor.ts';
import { decodeRequest, type Decoded } from '../../../../mount/device/decode.ts';
import { encodeError, encodeReply } from '../../../../mount/device/encode-reply.ts';
import { serveWhole } from '../../../../mount/device/ops/serve.ts';
import { OPCODES, type OpcodeName } from '../../../../mount/device/abi.ts';
import { errnoNumber, FsError } from '../../../../src/errno.ts';
import type { Attr, Entry, Filesystem } from '../../../../src/tree/filesystem.ts';
import type { NodeId } from '../../../../src/tree/node-id.ts';

/** Bytes as a C compiler lays them out: these builders know nothing of the codec under test. */
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
}

export function str(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

export const pad = (count: number): Buffer => Buffer.alloc(count);
/** Bytes that must not matter: not zero, so that reading them by mistake shows. */
export const junk = (count: number): Buffer => Buffer.alloc(count, 0xa5);

export const CALLER = { uid: 1000, gid: 100, pid: 4321 };

/** A whole request: `fuse_in_header` and `body`. */
export function requestBytes(
  opcode: number,
  body: Uint8Array,
  given: { unique?: bigint; nodeid?: number } = {},
): Buffer {
  return Buffer.concat([
    u32(40 + body.length),
    u32(opcode),
    u64(given.unique ?? 7n),
    u64(given.nodeid ?? 1),
    u32(CALLER.uid),
    u32(CALLER.gid),
    u32(CALLER.pid),
    u16(0),
    u16(0),
    body,
  ]);
}

export function decode(bytes: Uint8Array): Decoded {
  return decodeRequest(new Reader(bytes), bytes.length);
}

export function request(name: OpcodeName, ...fields: Uint8Array[]): Decoded {
  return decode(requestBytes(OPCODES[name], Buffer.concat(fields)));
}

/** The whole way of a request: bytes in, bytes out; nothing for what has no reply. */
export async function dispatch(filesystem: Partial<Filesystem>, bytes: Uint8Array): Promise<Buffer | undefined> {
  const decoded = decode(bytes);
  const writer = new Writer();
  const length = await serveWhole(filesystem as Filesystem, decoded)
    .then((answer) => encodeReply(writer, decoded, answer))
    .catch((error: unknown) => {
      if (error instanceof FsError) return encodeError(writer, decoded.request, errnoNumber(error.errno));
      throw error;
    });
  return decoded.op.reply ? Buffer.from(writer.buffer.subarray(0, length)) : undefined;
}

/** Body of the reply to `decoded` when `answer` is what the tree said. */
export function replyBody(decoded: Decoded, answer: unknown): Buffer {
  const writer = new Writer();
  writer.buffer.fill(0xa5);
  return Buffer.from(writer.buffer.subarray(16, encodeReply(writer, decoded, answer)));
}

export const ATTR: Attr = {
  id: 0x12_3456_789a as NodeId,
  mode: 0o100640,
  nlink: 3,
  uid: 1001,
  gid: 101,
  size: 1025,
  atime: { sec: 11, nsec: 1 },
  mtime: { sec: 2 ** 33, nsec: 2 },
  ctime: { sec: -5, nsec: 3 },
  cacheable: true,
};

export const ENTRY: Entry = { attr: ATTR, cacheable: true };

/** `struct fuse_attr`, by its declaration. */
function attrBytes(attr: Attr, blocks: number): Buffer {
  const { atime, mtime, ctime } = attr;
  const wide = [attr.id, attr.size, blocks, atime.sec, mtime.sec, ctime.sec].map(u64);
  const narrow = [atime.nsec, mtime.nsec, ctime.nsec, attr.mode, attr.nlink, attr.uid, attr.gid, 0, 4096, 0].map(u32);
  return Buffer.concat([...wide, ...narrow]);
}

/** `struct fuse_attr_out` of attributes kept for `seconds`. */
export function attrOut(attr: Attr, blocks: number, seconds: number): Buffer {
  return Buffer.concat([u64(seconds), u32(0), u32(0), attrBytes(attr, blocks)]);
}

/** `struct fuse_entry_out`. */
export function entryOut(attr: Attr, blocks: number, seconds: { name: number; attr: number }): Buffer {
  const head = [u64(attr.id), u64(0), u64(seconds.name), u64(seconds.attr), u32(0), u32(0)];
  return Buffer.concat([...head, attrBytes(attr, blocks)]);
}

/** `struct fuse_dirent`, padded. */
export function dirent(name: string, ino: number, cookie: number, type: number): Buffer {
  const text = Buffer.from(name);
  const padding = pad((8 - (text.length % 8)) % 8);
  return Buffer.concat([u64(ino), u64(cookie), u32(text.length), u32(type), text, padding]);
}
