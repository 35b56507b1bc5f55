import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeImages, PIECE_BYTES, verifyImages, type Hasher } from '../../../src/checkpoint/hashes.ts';

let directory: string;
const at = (name: string) => path.join(directory, name);
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'nsdir-unit-'));
  writeFileSync(at('a.img'), 'one');
  writeFileSync(at('b.img'), 'two');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Hashes in this thread, and notes what it was asked for. */
function recording(): Hasher & { readonly asked: (readonly [string, number, number])[] } {
  const asked: (readonly [string, number, number])[] = [];
  return {
    asked,
    hash: (file, offset, length) => {
      asked.push([path.basename(file), offset, length]);
      return Promise.resolve(sha256(readFileSync(file).subarray(offset, offset + length)));
    },
  };
}

describe('describeImages', () => {
  test('gives an image that is longer than a piece a hash for each, and an empty one one', async () => {
    const bytes = randomBytes(PIECE_BYTES + 5);
    writeFileSync(at('c.img'), bytes);
    writeFileSync(at('d.img'), '');
    const hasher = recording();
    const images = await describeImages(directory, hasher);
    expect(images.map(({ name, size }) => [name, size])).toEqual([
      ['a.img', 3],
      ['b.img', 3],
      ['c.img', PIECE_BYTES + 5],
      ['d.img', 0],
    ]);
    expect(images[2]?.sha256).toEqual([sha256(bytes.subarray(0, PIECE_BYTES)), sha256(bytes.subarray(PIECE_BYTES))]);
    expect(images[3]?.sha256).toEqual([sha256(Buffer.alloc(0))]);
    expect(hasher.asked).toEqual([
      ['c.img', 0, PIECE_BYTES],
      ['c.img', PIECE_BYTES, 5],
    ]);
  });
});

describe('verifyImages', () => {
  const refusal = async (images: Awaited<ReturnType<typeof describeImages>>, pieceBytes = PIECE_BYTES) =>
    String(await verifyImages(directory, { images, pieceBytes }, recording()).catch((error: unknown) => error));

  test('is content with what describeImages has seen', async () => {
    const images = await describeImages(directory);
    await expect(verifyImages(directory, { images, pieceBytes: PIECE_BYTES })).resolves.toBeUndefined();
  });

  test('names what was altered, cut off, or is missing', async () => {
    const images = await describeImages(directory);
    writeFileSync(at('b.img'), 'twO');
    expect(await refusal(images)).toContain('b.img is not what was saved');
    writeFileSync(at('b.img'), 'tw');
    expect(await refusal(images)).toContain('b.img has 2 bytes, not 3');
    writeFileSync(at('b.img'), 'two');
    rmSync(at('a.img'));
    expect(await refusal(images)).toContain('a.img is missing');
  });

  test.each([
    ['the first', 7],
    ['the last', PIECE_BYTES + 1],
  ])('sees what was altered in %s of its pieces', async (_, where) => {
    const bytes = randomBytes(PIECE_BYTES + 5);
    writeFileSync(at('c.img'), bytes);
    const images = await describeImages(directory, recording());
    expect(await refusal(images)).toBe('undefined');
    bytes[where] = (bytes[where] ?? 0) ^ 1;
    writeFileSync(at('c.img'), bytes);
    expect(await refusal(images)).toContain('c.img is not what was saved');
  });

  test('sees pieces in another order', async () => {
    writeFileSync(at('c.img'), randomBytes(2 * PIECE_BYTES));
    const [a, b, { name, size, sha256: hashes } = { name: '', size: 0, sha256: [] }] = await describeImages(
      directory,
      recording(),
    );
    const images = [a, b].flatMap((image) => image ?? []);
    expect(await refusal([...images, { name, size, sha256: hashes.toReversed() }])).toContain('c.img is not');
  });

  test('takes one hash of a whole image, as format 1 has it', async () => {
    const bytes = randomBytes(PIECE_BYTES + 5);
    writeFileSync(at('c.img'), bytes);
    const whole = [{ name: 'c.img', size: bytes.length, sha256: [sha256(bytes)] }];
    expect(await refusal(whole, Number.MAX_SAFE_INTEGER)).toBe('undefined');
    truncateSync(at('c.img'), PIECE_BYTES);
    writeFileSync(at('c.img'), randomBytes(5), { flag: 'a' });
    expect(await refusal(whole, Number.MAX_SAFE_INTEGER)).toContain('c.img is not what was saved');
  });
});
