/** Numbers and texts at their edges. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MalformedRequest, Reader, Writer } from '../../../../mount/device/cursor.ts';
import { utf8Length } from '../../../../src/utf8.ts';
import { str, u64 } from './support.ts';

function read<T>(bytes: Uint8Array, take: (reader: Reader) => T): T {
  const reader = new Reader(bytes);
  reader.start(bytes.length);
  return take(reader);
}

function written(put: (writer: Writer) => void): Buffer {
  const writer = new Writer(4096);
  writer.start();
  put(writer);
  return Buffer.from(writer.buffer.subarray(16, writer.position));
}

describe('64-bit numbers', () => {
  test('are exact up to 2^53 - 1 and malformed above', () => {
    expect(read(u64(2n ** 53n - 1n), (reader) => reader.u64())).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => read(u64(2n ** 53n), (reader) => reader.u64())).toThrow(MalformedRequest);
    expect(() => read(u64(2n ** 64n - 1n), (reader) => reader.u64())).toThrow(MalformedRequest);
  });

  test.each([
    [2n ** 64n - 1n, Number.MAX_SAFE_INTEGER, -1],
    [2n ** 63n - 1n, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [2n ** 63n, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    [5n, 5, 5],
  ])('%d is clamped to %d unsigned, %d signed', (value, unsigned, signed) => {
    expect(read(u64(value), (reader) => reader.u64Clamped())).toBe(unsigned);
    expect(read(u64(value), (reader) => reader.i64Clamped())).toBe(signed);
  });

  test('come back as they went', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const bytes = written((writer) => {
          writer.u64(value);
        });
        expect(bytes).toEqual(u64(value));
        expect(read(bytes, (reader) => reader.i64Clamped())).toBe(value);
      }),
    );
  });
});

describe('text', () => {
  test('comes back as it went, with its length in bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        const bytes = written((writer) => {
          writer.text(text);
        });
        expect(bytes).toEqual(Buffer.from(text));
        expect(utf8Length(text)).toBe(bytes.length);
        if (!text.includes('\0')) expect(read(str(text), (reader) => reader.cstring())).toBe(text);
      }),
    );
  });

  test('ends at its NUL and the next begins behind it', () => {
    expect(read(Buffer.from('ab\0\0é\0'), (reader) => [reader.cstring(), reader.cstring(), reader.cstring()])).toEqual([
      'ab',
      '',
      'é',
    ]);
  });

  test('that has no room throws', () => {
    const writer = new Writer(20);
    expect(() => {
      writer.text('12345');
    }).toThrow(RangeError);
  });
});
