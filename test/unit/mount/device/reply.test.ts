/** Whole replies: header, errors, what has none. */
import { describe, expect, test } from 'vitest';
import { OPCODES, type OpcodeName } from '../../../../mount/device/abi.ts';
import { OPERATIONS } from '../../../../mount/device/ops/table.ts';
import { constants } from 'node:os';
import { FsError } from '../../../../src/errno.ts';
import { dispatch, requestBytes, str, u32, u64 } from './support.ts';

const header = (length: number, error: number, unique: bigint) => Buffer.concat([u32(length), u32(error), u64(unique)]);

test('a reply has its length, no error and the number of its request', async () => {
  const bytes = requestBytes(OPCODES.RMDIR, str('web'), { unique: 0x12_3456_789an });
  expect(await dispatch({ rmdir: () => undefined }, bytes)).toEqual(header(16, 0, 0x12_3456_789an));
});

test('a reply to a request that was sent again carries the RESEND bit, or the kernel would not know it', async () => {
  const unique = (1n << 63n) | 8n;
  const reply = await dispatch({ readlink: () => 'x' }, requestBytes(OPCODES.READLINK, Buffer.alloc(0), { unique }));
  expect(reply).toEqual(Buffer.concat([header(17, 0, unique), Buffer.from('x')]));
});

test('an error is negative and has no body', async () => {
  const rmdir = () => {
    throw new FsError('ENOTEMPTY', 'full');
  };
  expect(await dispatch({ rmdir }, requestBytes(OPCODES.RMDIR, str('web')))).toEqual(header(16, -39, 7n));
});

test('what a file system lacks is ENOSYS', async () => {
  expect(await dispatch({}, requestBytes(OPCODES.RMDIR, str('web')))).toEqual(header(16, -38, 7n));
});

test('an error while a listing is written is that error', async () => {
  function* entries(): Generator<never> {
    throw new FsError('ESTALE', 'gone');
  }
  const reply = await dispatch({ readdir: entries }, requestBytes(OPCODES.READDIR, Buffer.alloc(40, 1)));
  expect(reply).toEqual(header(16, -constants.errno.ESTALE, 7n));
});

test('an opcode of a later protocol is ENOSYS', async () => {
  expect(await dispatch({}, requestBytes(999, Buffer.alloc(3)))).toEqual(header(16, -38, 7n));
});

describe('operations', () => {
  test('there is one row for each opcode', () => {
    expect(OPERATIONS.map(({ opcode }) => opcode).sort((a, b) => a - b)).toEqual(
      Object.values(OPCODES).sort((a, b) => a - b),
    );
  });

  test.each(['FORGET', 'BATCH_FORGET', 'INTERRUPT'] as const)('%s has no reply', async (name) => {
    expect(await dispatch({}, requestBytes(OPCODES[name], Buffer.alloc(24)))).toBeUndefined();
  });

  test.each<[OpcodeName, number]>([
    ['OPENDIR', -38],
    ['FSYNC', -38],
    ['FSYNCDIR', -38],
    ['GETXATTR', -38],
    ['SETXATTR', -38],
    ['LSEEK', -38],
    ['STATX', -38],
    ['IOCTL', -25],
    ['DESTROY', 0],
  ])('%s is answered %i', async (name, error) => {
    expect(await dispatch({}, requestBytes(OPCODES[name], Buffer.alloc(64)))).toEqual(header(16, error, 7n));
  });
});

test('an open names the file that the kernel reads and writes itself, and then nothing is said of caching', async () => {
  const opened = { handle: 5, noFlush: true, immutable: true, backingId: 9 };
  const reply = await dispatch({ open: () => opened }, requestBytes(OPCODES.OPEN, Buffer.alloc(8)));
  // FOPEN_PASSTHROUGH | FOPEN_NOFLUSH, backing_id
  expect(reply).toEqual(Buffer.concat([header(32, 0, 7n), u64(5n), u32((1 << 7) | (1 << 5)), u32(9)]));
});
