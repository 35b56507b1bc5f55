import { closeSync, ftruncateSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { FsError, systemErrno } from '../errno.ts';

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
    return { journal: new Journal<Entry>(path, fd, goodBytes), entries: entries as Entry[], tornBytes: totalBytes - goodBytes };
  }

  /** Length of the file in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws the errno of write(2), ENOSPC above all, and leaves the file as it was. */
  append(entry: Entry): void {
    const line = Buffer.from(formatLine(entry));
    let written = 0;
    try {
      while (written < line.length) written += writeSync(this.#fd, line, written);
    } catch (error) {
      ftruncateSync(this.#fd, this.#bytes);
      throw new FsError(systemErrno(error) ?? 'EIO', `Cannot append to ${this.#path}; make room on its file system`, {
        cause: error,
      });
    }
    this.#bytes += line.length;
  }

  /** Puts `entries` in the place of all that was written so far, atomically. */
  rewrite(entries: Iterable<Entry>): void {
    const next = `${this.#path}.new`;
    const fd = openSync(next, 'w', 0o600);
    try {
      for (const entry of entries) writeSync(fd, formatLine(entry));
      fsyncSync(fd);
      renameSync(next, this.#path);
    } finally {
      closeSync(fd);
    }
    closeSync(this.#fd);
    this.#fd = openSync(this.#path, 'a', 0o600);
    this.#bytes = fstatSync(this.#fd).size;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const CHECKSUM_LENGTH = 8;

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
    if (line.slice(0, CHECKSUM_LENGTH) !== checksum(json)) break;
    entries.push(JSON.parse(json));
    start = end + 1;
  }
  return { entries, goodBytes: start, totalBytes: bytes.length };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(CHECKSUM_LENGTH, '0');
}
