import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { encodeFrame, FRAME_MAX_BYTES, FrameReader } from '../../../src/container/launcher-frames.ts';

const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));

describe('encodeFrame', () => {
  it('is u32le length and NUL-terminated words', () => {
    expect([...encodeFrame(['ack', '', 'é'])]).toEqual([8, 0, 0, 0, 97, 99, 107, 0, 0, 0xc3, 0xa9, 0]);
  });

  it('refuses a word with a NUL, and too much', () => {
    expect(() => encodeFrame(['a\0b'])).toThrow(expect.objectContaining({ errno: 'EINVAL' }));
    expect(encodeFrame(['x'.repeat(FRAME_MAX_BYTES - 1)])).toHaveLength(FRAME_MAX_BYTES + 4);
    expect(() => encodeFrame(['x'.repeat(FRAME_MAX_BYTES)])).toThrow(
      expect.objectContaining({ errno: 'ENAMETOOLONG' }),
    );
  });
});

describe('FrameReader', () => {
  it('gives back what was encoded, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(encodeFrame));
          const reader = new FrameReader();
          const read: string[][] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const size = cuts[turn % cuts.length]!;
            const chunk = Buffer.from(bytes.subarray(at, at + size));
            read.push(...reader.push(chunk));
            chunk.fill(0xff); // a stream may use its buffer again
            at += size;
          }
          expect(read).toEqual(frames);
        },
      ),
    );
  });

  it('refuses a frame that is too long at its header, and a word without end', () => {
    const tooLong = Buffer.alloc(4);
    tooLong.writeUInt32LE(FRAME_MAX_BYTES + 1);
    expect(() => new FrameReader().push(tooLong)).toThrow(expect.objectContaining({ errno: 'EPROTO' }));
    expect(() => new FrameReader().push(Buffer.from([1, 0, 0, 0, 97]))).toThrow(
      expect.objectContaining({ errno: 'EPROTO' }),
    );
    expect(() => new FrameReader().push(Buffer.from([0, 0, 0, 0]))).toThrow(
      expect.objectContaining({ errno: 'EPROTO' }),
    );
  });
});
