import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { HashAnswer, HashTask } from './hash-threads.ts';

/** A thread that hashes parts of files, and does nothing else: it may wait for the disk. */

const BUFFER_BYTES = 1 << 20;

const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

parentPort?.on('message', ({ id, file, offset, length }: HashTask) => {
  let answer: HashAnswer;
  try {
    answer = { id, sha256: hashOf(file, offset, length) };
  } catch (error) {
    answer = { id, why: (error as Error).message };
  }
  parentPort?.postMessage(answer);
});

/** Of what there is of it, if the file is shorter. */
function hashOf(file: string, offset: number, length: number): string {
  const fd = openSync(file, 'r');
  try {
    const hash = createHash('sha256');
    for (let at = offset, end = offset + length; at < end;) {
      const got = readSync(fd, buffer, 0, Math.min(BUFFER_BYTES, end - at), at);
      if (got === 0) break;
      hash.update(buffer.subarray(0, got));
      at += got;
    }
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
