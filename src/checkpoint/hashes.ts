import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { FsError } from '../errno.ts';
import { HashThreads } from './hash-threads.ts';
import { isImageName, type Image, type Manifest } from './manifest.ts';

/** Each piece of an image is hashed for itself, so that every processor can do some: bytes of a piece. */
export const PIECE_BYTES = 16 << 20;

/** What is not longer is hashed at once, in less time than it takes to ask another thread. */
const SHORT_BYTES = 256 << 10;

/** Images that are looked at at once. */
const IMAGES_AT_ONCE = 16;

/** Hashes a part of a file; `HashThreads` is the real one. */
export type Hasher = Pick<HashThreads, 'hash'>;

const threads = new HashThreads();

/** The images in a directory, with sizes and hashes, by name. */
export async function describeImages(directory: string, hasher: Hasher = threads): Promise<Image[]> {
  const names = (await readdir(directory)).filter(isImageName).sort();
  return await forEach(names, async (name) => {
    const file = path.join(directory, name);
    const { size } = await stat(file);
    return { name, size, sha256: await hashesOf(hasher, file, size, PIECE_BYTES) };
  });
}

/** Throws EIO naming an image that is missing, or is not what the manifest says. */
export async function verifyImages(
  directory: string,
  { images, pieceBytes }: Pick<Manifest, 'images' | 'pieceBytes'>,
  hasher: Hasher = threads,
): Promise<void> {
  await forEach(images, async ({ name, size, sha256 }) => {
    const file = path.join(directory, name);
    const found = await stat(file).catch(() => undefined);
    if (!found) throw new FsError('EIO', `${name} is missing`);
    if (found.size !== size) throw new FsError('EIO', `${name} has ${found.size} bytes, not ${size}`);
    const hashes = await hashesOf(hasher, file, size, pieceBytes);
    if (hashes.join() !== sha256.join()) {
      throw new FsError('EIO', `${name} is not what was saved: its sha256 differs`);
    }
  });
}

async function hashesOf(hasher: Hasher, file: string, size: number, pieceBytes: number): Promise<string[]> {
  if (size <= SHORT_BYTES && size <= pieceBytes) {
    return [
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    ];
  }
  const offsets = Array.from({ length: Math.ceil(size / pieceBytes) }, (_, index) => index * pieceBytes);
  return await Promise.all(offsets.map((offset) => hasher.hash(file, offset, Math.min(pieceBytes, size - offset))));
}

/** The results, in the order of the items; some are worked on at once. Throws what the first to fail does. */
async function forEach<T, R>(items: readonly T[], body: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let [next, failed] = [0, false];
  const work = async () => {
    while (!failed && next < items.length) {
      const index = next++;
      try {
        results[index] = await body(items[index] as T);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: IMAGES_AT_ONCE }, work));
  return results;
}
