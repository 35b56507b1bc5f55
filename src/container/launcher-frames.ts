import { FsError } from '../errno.ts';

/** Longest payload of a frame (`FRAME_MAX`, src/init/nsdir-init.h). */
export const FRAME_MAX_BYTES = 256 * 1024;

const HEADER_BYTES = 4;
const NUL = 0;

/**
 * One frame of the daemon's connection with the launcher: u32le length of the payload, then the words, each ended by NUL.
 * A word with a NUL in it is EINVAL, too much is ENAMETOOLONG.
 */
export function encodeFrame(words: readonly string[]): Buffer {
  if (words.some((word) => word.includes('\0'))) throw new FsError('EINVAL', 'a word for the launcher contains a NUL');
  const payload = words.map((word) => `${word}\0`).join('');
  const length = Buffer.byteLength(payload);
  if (length > FRAME_MAX_BYTES) {
    throw new FsError('ENAMETOOLONG', `a request of ${length} bytes is too long for the launcher; nest less deep`);
  }
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt32LE(length, 0);
  frame.write(payload, HEADER_BYTES);
  return frame;
}

/** Puts frames together from whatever chunks a stream delivers. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that `chunk` completes, oldest first. EPROTO on one that is too long or has a word without end. */
  push(chunk: Uint8Array): string[][] {
    const data = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const frames: string[][] = [];
    let at = 0;
    while (data.length - at >= HEADER_BYTES) {
      const length = data.readUInt32LE(at);
      if (length > FRAME_MAX_BYTES) throw new FsError('EPROTO', `the launcher sent a frame of ${length} bytes`);
      const end = at + HEADER_BYTES + length;
      if (data.length < end) break;
      frames.push(decodePayload(data.subarray(at + HEADER_BYTES, end)));
      at = end;
    }
    this.#rest = data.subarray(at);
    return frames;
  }
}

function decodePayload(payload: Buffer): string[] {
  if (payload.at(-1) !== NUL) throw new FsError('EPROTO', 'the launcher sent a word without end');
  return payload.toString('utf8', 0, payload.length - 1).split('\0');
}
