/** Every row's bytes, built by hand from linux/fuse.h: what the tree is asked, and what the kernel gets. */
import { describe, expect, test, vi } from 'vitest';
import { DEFER } from '../../../../src/tree/filesystem.ts';
import {
  ATTR,
  attrOut,
  CALLER,
  decode,
  ENTRY,
  entryOut,
  replyBody,
  request,
  requestBytes,
  str,
  u64,
} from './support.ts';
import { OPCODES } from '../../../../mount/device/abi.ts';
import { SAMPLES, setattr } from './samples.ts';

describe.each(SAMPLES.map((sample) => [sample.op, sample] as const))('%s', (op, { body, call, answer, reply }) => {
  const [method, ...args] = call;

  test(`asks ${method} with the caller and the arguments`, () => {
    const { op: row, request: asked, args: decoded } = request(op, ...body);
    const spy = vi.fn().mockReturnValue(answer);
    expect(row.serve({ [method]: spy }, asked, decoded)).toBe(answer);
    expect(spy.mock.calls[0]?.[0]).toMatchObject({ caller: CALLER, unique: 7, resent: false });
    expect(spy.mock.calls[0]?.slice(1)).toEqual(args);
  });

  test('keeps the target as `this`', () => {
    const { op: row, request: asked, args: decoded } = request(op, ...body);
    const target = {
      [method](this: unknown) {
        return this;
      },
    };
    expect(row.serve(target, asked, decoded)).toBe(target);
  });

  test('encodes the answer', () => {
    expect(replyBody(request(op, ...body), answer)).toEqual(Buffer.concat(reply));
  });

  test('is deferred by a target that lacks the method', () => {
    const { op: row, request: asked, args: decoded } = request(op, ...body);
    expect(row.serve({}, asked, decoded)).toBe(DEFER);
  });
});

describe('timeouts', () => {
  test('attributes that are not cacheable are asked for each time', () => {
    const attr = { ...ATTR, cacheable: false };
    expect(replyBody(request('GETATTR', u64(0), u64(0)), attr)).toEqual(attrOut(attr, 3, 0));
  });

  test('a name that is not cacheable is kept for a second, its attributes on their own terms', () => {
    const attr = { ...ATTR, cacheable: false };
    const lookup = request('LOOKUP', str('x'));
    expect(replyBody(lookup, { attr, cacheable: false })).toEqual(entryOut(attr, 3, { name: 1, attr: 0 }));
    expect(replyBody(lookup, { ...ENTRY, cacheable: false })).toEqual(
      entryOut(ATTR, 3, { name: 1, attr: 0xffff_ffff }),
    );
  });
});

test('a directory has no blocks', () => {
  const attr = { ...ATTR, mode: 0o040755 };
  expect(replyBody(request('GETATTR', u64(0), u64(0)), attr)).toEqual(attrOut(attr, 0, 0xffff_ffff));
});

describe('SETATTR', () => {
  test.each([
    ['nothing', 0, {}],
    ['mode', 1 << 0, { mode: 1 }],
    ['uid 0', 1 << 1, { uid: 0 }],
    ['gid', 1 << 2, { gid: 3 }],
    ['size', 1 << 3, { size: 0 }],
  ])('%s only is what the valid bits say', (_what, valid, changes) => {
    const { args } = request('SETATTR', ...setattr(valid, changes));
    expect(args).toEqual(changes);
    expect(Object.keys(args as object)).toEqual(Object.keys(changes));
  });

  test('a time under UTIME_OMIT is left alone', () => {
    const { args } = request('SETATTR', ...setattr(1 << 5, { mtime: 4, mtimeNs: 5 }));
    expect(args).toEqual({ mtime: { sec: 4, nsec: 5 } });
  });

  test('UTIME_NOW is the moment of the change, whatever time comes with it', () => {
    const { args } = request('SETATTR', ...setattr((1 << 4) | (1 << 5) | (1 << 7), { atime: 9, mtime: 4, mtimeNs: 5 }));
    expect(args).toEqual({ atime: 'now', mtime: { sec: 4, nsec: 5 } });
  });
});

describe('header', () => {
  test('tells who asks, about what', () => {
    const { request: asked } = decode(requestBytes(OPCODES.STATFS, Buffer.alloc(0), { nodeid: 0x12_3456_789a }));
    expect(asked).toEqual({
      length: 40,
      opcode: OPCODES.STATFS,
      nodeid: 0x12_3456_789a,
      unique: 7,
      resent: false,
      caller: CALLER,
    });
  });

  test('a request sent again has the same number', () => {
    const unique = (1n << 63n) | 0x12_3456_7890n;
    const { request: asked } = decode(requestBytes(OPCODES.STATFS, Buffer.alloc(0), { unique }));
    expect(asked).toMatchObject({ unique: 0x12_3456_7890, resent: true });
  });

  test('extensions behind the arguments are passed over, and are no part of them', () => {
    const extended = (name: Buffer) => {
      const bytes = requestBytes(OPCODES.LOOKUP, Buffer.concat([name, Buffer.from('abcdefg\0')]));
      bytes.writeUInt16LE(1, 36);
      return decode(bytes);
    };
    expect(extended(str('web')).args).toEqual({ name: 'web' });
    expect(extended(Buffer.from('web')).args).toBeUndefined();
  });
});

test('READ takes no more than a reply has room for', () => {
  const { args } = request('READ', u64(1), u64(0), Buffer.from([0, 0, 32, 0]), Buffer.alloc(20));
  expect(args).toMatchObject({ size: 128 * 1024 });
});

test('READ with more data than asked for is an error, not a longer reply', () => {
  const read = request('READ', u64(1), u64(0), Buffer.from([4, 0, 0, 0]), Buffer.alloc(20));
  expect(() => replyBody(read, Buffer.alloc(5))).toThrow(/4 bytes was answered with 5/);
});

test('READ at an offset beyond the exact numbers is clamped, for such a pread is legal', () => {
  const { args } = request('READ', u64(1), u64(2n ** 62n), Buffer.from([4, 0, 0, 0]), Buffer.alloc(20));
  expect(args).toMatchObject({ offset: Number.MAX_SAFE_INTEGER });
});

test('a name that is not UTF-8 has U+FFFD, which no name has', () => {
  expect(request('LOOKUP', Buffer.from([0x61, 0xff, 0])).args).toEqual({ name: 'a\u{FFFD}' });
});

test.each([254, 255, 256])('a name of %i bytes that are not UTF-8 is as long as that', (length) => {
  const { args } = request('LOOKUP', Buffer.alloc(length, 0xff), Buffer.alloc(1));
  const { name } = args as { name: string };
  expect(name).toContain('\u{FFFD}');
  expect(Buffer.byteLength(name) > 255).toBe(length > 255);
});

test('INTERRUPT names the request, whether that was sent again or not, and has no reply', () => {
  expect(request('INTERRUPT', u64(12)).args).toEqual({ target: 12 });
  expect(request('INTERRUPT', u64((1n << 63n) | 12n)).args).toEqual({ target: 12 });
  expect(request('INTERRUPT', u64(12)).op.reply).toBe(false);
});
