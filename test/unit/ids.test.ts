import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FsError } from '../../src/errno.ts';
import { containerName, pid, PID_MAX, serial } from '../../src/ids.ts';

/** The errno it is refused with. */
function refusal(text: string): string | undefined {
  try {
    containerName(text);
    return undefined;
  } catch (error) {
    if (error instanceof FsError) return error.errno;
    throw error;
  }
}

describe('containerName', () => {
  test.each(['web', 'a', 'with space', 'ünï', '🚀', '-rf', 'a.b', 'a\\b', '*', 'a'.repeat(255), 'é'.repeat(127)])(
    'takes %j',
    (text) => {
      expect(containerName(text)).toBe(text);
    },
  );

  test.each([
    ['', 'EINVAL'],
    ['.', 'EINVAL'],
    ['..', 'EINVAL'],
    ['.state', 'EINVAL'],
    ['a/b', 'EINVAL'],
    ['a\nb', 'EINVAL'],
    ['a\tb', 'EINVAL'],
    ['a\0b', 'EINVAL'],
    ['\u007f', 'EINVAL'],
    ['a\u0085b', 'EINVAL'],
    ['a\u009b31m', 'EINVAL'],
    ['\u{FFFD}', 'EINVAL'],
    ['a'.repeat(256), 'ENAMETOOLONG'],
    ['é'.repeat(128), 'ENAMETOOLONG'],
    [`.${'a'.repeat(255)}`, 'ENAMETOOLONG'],
  ])('refuses %j with %s', (text, errno) => {
    expect(refusal(text)).toBe(errno);
  });

  test('refuses bytes that are not UTF-8, as they arrive decoded', () => {
    expect(refusal(Buffer.from([0x61, 0xff]).toString('utf8'))).toBe('EINVAL');
  });

  test('takes exactly what is 1 to 255 bytes, has no dot in front, no slash and no control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const bytes = Buffer.byteLength(text);
        const plain = /^(?!\.)[^/\p{Cc}\u{FFFD}]+$/u.test(text);
        expect(refusal(text)).toBe(bytes > 255 ? 'ENAMETOOLONG' : plain ? undefined : 'EINVAL');
      }),
      { numRuns: 300 },
    );
  });
});

describe('pid', () => {
  test('takes 0 to the largest the kernel gives, nothing else', () => {
    expect([pid(0), pid(PID_MAX)]).toEqual([0, PID_MAX]);
    for (const wrong of [-1, PID_MAX + 1, 1.5, NaN]) expect(() => pid(wrong)).toThrow(RangeError);
  });
});

describe('serial', () => {
  test('takes whole numbers from 0', () => {
    expect(serial(0)).toBe(0);
    for (const wrong of [-1, 1.5, NaN]) expect(() => serial(wrong)).toThrow(RangeError);
  });
});
