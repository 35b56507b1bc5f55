import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import type { Log } from '../log.ts';

/** A log is started anew beyond it. */
const LOG_LIMIT_BYTES = 16 << 20;

/** Somebody may cause lines as fast as he can. */
const LOG_CHECK_MS = 10_000;

const CHUNK_BYTES = 1 << 20;

/** Keeps the log that is open as `fd` short, and what was in it before as `file`. */
export function boundLog(fd: number, file: string, log: Log): void {
  let isBusy = false;
  setInterval(() => {
    const stat = fstatSync(fd);
    if (isBusy || !stat.isFile() || stat.size <= LOG_LIMIT_BYTES) return;
    isBusy = true;
    void startAnew(fd, file, log).finally(() => {
      isBusy = false;
    });
  }, LOG_CHECK_MS).unref();
}

/**
 * Empties the file that is open as `fd`, for appending, and leaves a copy of it as `file`, in the place of a former one:
 * others write to the same descriptor, so it stays the same file. No line of this thread is lost. Where there is no room for a
 * copy, the former one stays, and what was logged since is gone. Never throws.
 */
export async function startAnew(fd: number, file: string, log: Log): Promise<void> {
  const copy = `${file}.new`;
  try {
    const from = openSync(`/proc/self/fd/${fd}`, 'r');
    try {
      await using to = await open(copy, 'w', 0o600);
      const copied = await copySlowly(from, to, fstatSync(fd).size);
      await rename(copy, file);
      // In one turn: what was logged meanwhile, and then no more of it.
      copyAtOnce(from, to.fd, copied);
      ftruncateSync(fd);
    } finally {
      closeSync(from);
    }
  } catch (cause) {
    await rm(copy, { force: true }).catch(() => undefined);
    ftruncateSync(fd);
    log.warn({ err: cause }, 'cannot keep the former log');
  }
}

async function copySlowly(from: number, to: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let at = 0;
  while (at < size) {
    const read = readSync(from, chunk, 0, Math.min(chunk.length, size - at), at);
    if (read === 0) break;
    await to.writeFile(chunk.subarray(0, read));
    at += read;
  }
  return at;
}

function copyAtOnce(from: number, to: number, start: number): void {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let at = start; ;) {
    const read = readSync(from, chunk, 0, chunk.length, at);
    if (read === 0) return;
    writeSync(to, chunk, 0, read);
    at += read;
  }
}
