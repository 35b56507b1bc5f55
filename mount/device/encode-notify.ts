import type { NodeId } from '../../src/tree/node-id.ts';
import { utf8Length } from '../../src/utf8.ts';
import {
  FUSE_EXPIRE_ONLY,
  NOTIFY_INC_EPOCH,
  NOTIFY_INVAL_ENTRY,
  NOTIFY_INVAL_INODE,
  NOTIFY_POLL,
  NOTIFY_RESEND,
  OUT_HEADER_BYTES,
} from './abi.ts';
import { Writer } from './cursor.ts';

/**
 * Notifications: replies to nobody, whose `unique` is 0 and whose `error` is the positive code (`fuse_dev_do_write`).
 * Each gives bytes of its own, to be written to the device by one write. What the write may fail with is harmless:
 * ENOENT, the kernel does not know the node or name; ENOTDIR and EINVAL say the caller is wrong.
 */

/**
 * The attributes of `id` are old, and what is cached of its content (a directory's listing too) from byte `offset` on for
 * `length` bytes, 0 meaning to the end. A negative `offset` spares the content (`fuse_reverse_inval_inode`).
 */
export function notifyInvalidInode(id: NodeId, offset = 0, length = 0): Uint8Array {
  return notification(NOTIFY_INVAL_INODE, 24, (writer) => {
    writer.u64(id);
    writer.u64(offset);
    writer.u64(length);
  });
}

/** The name means nothing or something else now: the kernel forgets it, and detaches what is mounted on it. */
export function notifyInvalidEntry(parent: NodeId, name: string): Uint8Array {
  return entryNotification(parent, name, 0);
}

/** The name has to be looked up again: cheaper than forgetting, mounts on it stay. Needs HAS_EXPIRE_ONLY. */
export function notifyExpiredEntry(parent: NodeId, name: string): Uint8Array {
  return entryNotification(parent, name, FUSE_EXPIRE_ONLY);
}

/** Pollers that asked with `wake` (`fuse_poll_in.kh`) ask again. */
export function notifyPoll(wake: number): Uint8Array {
  return notification(NOTIFY_POLL, 8, (writer) => {
    writer.u64(wake);
  });
}

/** The kernel sends again every request that was read and not answered. Needs HAS_RESEND. */
export function notifyResend(): Uint8Array {
  return notification(NOTIFY_RESEND, 0, () => undefined);
}

/** Every name the kernel knows has to be looked up again. Linux 6.16; before it is EINVAL, and names are believed. */
export function notifyNewEpoch(): Uint8Array {
  return notification(NOTIFY_INC_EPOCH, 0, () => undefined);
}

function entryNotification(parent: NodeId, name: string, flags: number): Uint8Array {
  const bytes = utf8Length(name);
  return notification(NOTIFY_INVAL_ENTRY, 16 + bytes + 1, (writer) => {
    writer.u64(parent);
    writer.u32(bytes);
    writer.u32(flags);
    writer.text(name);
    writer.zeros(1);
  });
}

function notification(code: number, bytes: number, fields: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(OUT_HEADER_BYTES + bytes);
  writer.start();
  fields(writer);
  writer.finish({ unique: 0, resent: false }, -code);
  return writer.buffer;
}
