/** Notifications, by `struct fuse_notify_*_out`: header with unique 0 and the code where the error is. */
import { expect, test } from 'vitest';
import {
  notifyExpiredEntry,
  notifyInvalidEntry,
  notifyInvalidInode,
  notifyNewEpoch,
  notifyPoll,
  notifyResend,
} from '../../../../mount/device/encode-notify.ts';
import type { NodeId } from '../../../../src/tree/node-id.ts';
import { str, u32, u64 } from './support.ts';

const ID = 0x12_3456_789a as NodeId;

test.each([
  ['INVAL_INODE', notifyInvalidInode(ID), 2, [u64(ID), u64(0), u64(0)]],
  ['INVAL_INODE of attributes only', notifyInvalidInode(ID, -1), 2, [u64(ID), u64(-1), u64(0)]],
  ['INVAL_ENTRY', notifyInvalidEntry(ID, 'wéb'), 3, [u64(ID), u32(4), u32(0), str('wéb')]],
  ['INVAL_ENTRY, expire only', notifyExpiredEntry(ID, 'web'), 3, [u64(ID), u32(3), u32(1), str('web')]],
  ['POLL', notifyPoll(77), 1, [u64(77)]],
  ['RESEND', notifyResend(), 7, []],
  ['INC_EPOCH', notifyNewEpoch(), 8, []],
])('%s', (_name, bytes, code, fields) => {
  const body = Buffer.concat(fields);
  expect(bytes).toEqual(Buffer.concat([u32(16 + body.length), u32(code), u64(0), body]));
});
