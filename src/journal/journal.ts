import {
  closeSync,
  constants,
  ftruncateSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { crc32 } from 'node:zlib';
import { FsError, systemErrno } from '../errno.ts';

const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } = constants;

/**
 * An append-only file of JSON records, one a line, each behind its CRC-32: `xxxxxxxx {…}\n`. It need not survive the
 * machine, only the daemon, so nothing is synced: what write(2) took is in the page cache. A line that a crash tore, at
 * whatever byte, fails its checksum, and reading ends before it.
 */
export class Journal<Entry> {
  readonly #path: string;
  #fd: number;
  #bytes: number;

  private constructor(path: string, fd: number, bytes: number) {
    this.#path = path;
    this.#fd = fd;
    this.#bytes = bytes;
  }

  /** Opens or makes the file, returns what it holds up to the first tear, and cuts the tear off. */
  static open<Entry>(path: string): { journal: Journal<Entry>; entries: Entry[]; tornBytes: number } {
    const fd = openSync(path, 'a+', 0o600);
    const { entries, goodBytes, totalBytes } = parseJournal(readFileSync(fd));
    if (goodBytes < totalBytes) ftruncateSync(fd, goodBytes);
    return {
      journal: new Journal<Entry>(path, fd, goodBytes),
      entries: entries as Entry[],
      tornBytes: totalBytes - goodBytes,
    };
  }

  /** Length of the file in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Throws the errno of write(2), ENOSPC above all, and leaves the file as it was; also if there is no room for `room` bytes
   * more behind it, of which nothing stays.
   */
  append(entry: Entry, room = 0): void {
    const text = formatLine(entry);
    const line = Buffer.from(room === 0 ? text : text.padEnd(text.length + room, '\0'));
    try {
      writeAll(this.#fd, line, this.#path);
    } catch (error) {
      ftruncateSync(this.#fd, this.#bytes);
      throw error;
    }
    this.#bytes += line.length - room;
    if (room > 0) ftruncateSync(this.#fd, this.#bytes);
  }

  /** Throws as `append` if there is no room for `bytes` more now. What is written for it is taken back. */
  requireRoom(bytes: number): void {
    try {
      writeAll(this.#fd, Buffer.alloc(bytes), this.#path);
    } finally {
      ftruncateSync(this.#fd, this.#bytes);
    }
  }

  /** Puts `entries` in the place of all that was written so far, atomically. Throws as `append`. */
  rewrite(entries: Iterable<Entry>): void {
    const next = `${this.#path}.new`;
    const fd = refusable(next, () => openSync(next, O_APPEND | O_CREAT | O_TRUNC | O_WRONLY, 0o600));
    try {
      for (const chunk of chunks(entries)) writeAll(fd, Buffer.from(chunk), next);
      refusable(this.#path, () => {
        renameSync(next, this.#path);
      });
    } catch (error) {
      closeSync(fd);
      rmSync(next, { force: true });
      throw error;
    }
    closeSync(this.#fd);
    this.#fd = fd;
    this.#bytes = fstatSync(fd).size;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const CHECKSUM_LENGTH = 8;

/** Lines are written this many characters at a time, or a little more. */
const CHUNK_CHARACTERS = 1 << 16;

function* chunks(entries: Iterable<unknown>): Generator<string> {
  let text = '';
  for (const entry of entries) {
    text += formatLine(entry);
    if (text.length < CHUNK_CHARACTERS) continue;
    yield text;
    text = '';
  }
  yield text;
}

/** write(2) takes what fits before it says ENOSPC. */
function writeAll(fd: number, bytes: Uint8Array, path: string): void {
  refusable(path, () => {
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
  });
}

/** What `action` returns; what the system refuses is thrown as `FsError`. */
function refusable<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const errno = systemErrno(cause);
    if (errno === undefined) throw cause;
    throw new FsError(errno, `Cannot write to ${path}: ${errno}; make room on its file system`, { cause });
  }
}

function formatLine(entry: unknown): string {
  const json = JSON.stringify(entry);
  return `${checksum(json)} ${json}\n`;
}

/** What whole, undamaged lines there are from the start, and how many bytes they take. Exported for the torn-file test. */
export function parseJournal(bytes: Buffer): { entries: unknown[]; goodBytes: number; totalBytes: number } {
  const entries: unknown[] = [];
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1) break;
    const line = bytes.toString('utf8', start, end);
    const json = line.slice(CHECKSUM_LENGTH + 1);
    // The checksum of nothing is zero, so a line of zeros alone would pass.
    if (json === '' || line !== `${checksum(json)} ${json}`) break;
    entries.push(JSON.parse(json));
    start = end + 1;
  }
  return { entries, goodBytes: start, totalBytes: bytes.length };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(CHECKSUM_LENGTH, '0');
}
