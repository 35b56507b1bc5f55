/** Requests that are not what they say: never a crash, never a read past the end, always an answer if there is a header. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { OPCODES, type OpcodeName } from '../../../../mount/device/abi.ts';
import { MalformedRequest, Reader, ShortRequest } from '../../../../mount/device/cursor.ts';
import { askerIn, decodeRequest } from '../../../../mount/device/decode.ts';
import { operationFor } from '../../../../mount/device/ops/table.ts';
import { DEFER } from '../../../../src/tree/filesystem.ts';
import { FsError } from '../../../../src/errno.ts';
import { initIn, readIn, SAMPLES } from './samples.ts';
import { decode, requestBytes, u64 } from './support.ts';

const BODIES: readonly (readonly [OpcodeName, Buffer])[] = [
  ...SAMPLES.map(({ op, body }) => [op, Buffer.concat(body)] as const),
  ['READDIR', readIn(0, 4096)],
  ['READDIRPLUS', readIn(0, 4096)],
  ['INTERRUPT', u64(5)],
  ['INIT', initIn({ flags: 1 << 30, flags2: 0 }).subarray(0, 20)],
  ['INIT', initIn({})],
];

describe('a short request', () => {
  test.each(BODIES)('%s is EIO at every length below its own', (name, body) => {
    for (let length = 0; length < body.length; length++) {
      // What the buffer holds beyond the request is the rest of an earlier one, and must not be read.
      const buffer = Buffer.concat([requestBytes(OPCODES[name], body.subarray(0, length)), body.subarray(length)]);
      const { op, request, args } = decodeRequest(new Reader(buffer), 40 + length);
      expect(op).toMatchObject({ name, opcode: OPCODES[name], reply: operationFor(OPCODES[name]).reply });
      expect(() => op.serve({}, request, args)).toThrow(ShortRequest);
      expect(() => op.serve({}, request, args)).toThrow(expect.objectContaining({ errno: 'EIO' }));
    }
    const { op } = decode(requestBytes(OPCODES[name], body));
    expect(op).toBe(operationFor(OPCODES[name]));
  });

  test('without a whole header cannot be answered', () => {
    const bytes = requestBytes(OPCODES.STATFS, Buffer.alloc(0));
    for (let length = 0; length < 40; length++) {
      expect(() => decodeRequest(new Reader(bytes), length)).toThrow(ShortRequest);
    }
  });

  test('is found by what was read, whatever lies behind it in the buffer', () => {
    const bytes = requestBytes(OPCODES.LOOKUP, Buffer.from('web\0'));
    bytes.writeUInt32LE(43, 0);
    const { op, request } = decodeRequest(new Reader(bytes), 43);
    expect(() => op.serve({}, request, undefined)).toThrow(ShortRequest);
  });

  test('that says it is longer than it is cannot be answered', () => {
    const bytes = requestBytes(OPCODES.LOOKUP, Buffer.from('web\0'));
    bytes.writeUInt32LE(bytes.length + 1, 0);
    expect(() => decode(bytes)).toThrow(ShortRequest);
  });
});

describe('askerIn', () => {
  test('tells whom to answer as soon as that was read', () => {
    const bytes = requestBytes(OPCODES.STATFS, Buffer.alloc(0), { unique: (1n << 63n) | 6n });
    for (let length = 0; length < 40; length++) {
      expect(askerIn(new Reader(bytes), length)).toEqual(length < 16 ? undefined : { unique: 6, resent: true });
    }
  });
});

test('a bug in a decoder is an answer, and no FsError', () => {
  using _broken = vi.spyOn(operationFor(OPCODES.STATFS), 'decode').mockImplementation(() => {
    throw new RangeError('a bug');
  });
  const { op, request } = decode(requestBytes(OPCODES.STATFS, Buffer.alloc(0)));
  expect(op).toMatchObject({ name: 'STATFS', reply: true });
  expect(() => op.serve({}, request, undefined)).toThrow(RangeError);
});

test('a handle no one gave is EIO', () => {
  const { op, request, args } = decode(requestBytes(OPCODES.FLUSH, Buffer.concat([u64(2n ** 53n), Buffer.alloc(16)])));
  expect(() => op.serve({}, request, args)).toThrow(MalformedRequest);
});

describe('arbitrary bytes', () => {
  test('throw nothing but MalformedRequest', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedRequest);
        }
      }),
    );
  });

  test('behind a header are served or refused by an errno, and shown', () => {
    const opcode = fc.constantFrom(...Object.values(OPCODES), 0, 7, 999);
    fc.assert(
      fc.property(opcode, fc.uint8Array({ maxLength: 160 }), (number, body) => {
        const { op, request, args } = decode(requestBytes(number, body));
        expect(typeof op.showArgs(args)).toBe('string');
        try {
          const answer = op.serve({}, request, args);
          if (op.name !== 'INIT') expect([DEFER, undefined]).toContain(answer);
        } catch (error) {
          expect(error).toBeInstanceOf(FsError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
