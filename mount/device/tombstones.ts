import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { TOMBSTONE_MS } from '../../src/container/hiding.ts';
import { FsError, systemErrno } from '../../src/errno.ts';
import { serial } from '../../src/ids.ts';
import type { Tombstone } from './worker-protocol.ts';

/** Beyond it, or twice what was left the last time, lines that mean nothing any more are thrown away. */
const COMPACT_ABOVE_BYTES = 1 << 18;

/**
 * Unlinked control entries are written down before the unlink is answered, so that a removal that is under way goes on
 * when the daemon dies between its unlinks and its rmdir.
 */
export class TombstoneFile {
  readonly #file: string;
  #fd: number;
  #bytes: number;
  #compactAbove = COMPACT_ABOVE_BYTES;

  constructor(file: string) {
    this.#file = file;
    this.#fd = openSync(file, 'a', 0o600);
    this.#bytes = fstatSync(this.#fd).size;
  }

  /** Throws the errno of write(2), ENOSPC above all, and leaves the file as it was. */
  append(tombstone: Tombstone): void {
    const line = lineOf(tombstone);
    try {
      if (writeSync(this.#fd, line) < line.length) throw new FsError('ENOSPC', 'only a part was written');
    } catch (error) {
      ftruncateSync(this.#fd, this.#bytes);
      const errno = error instanceof FsError ? error.errno : (systemErrno(error) ?? 'EIO');
      throw new FsError(errno, `Cannot append to ${this.#file}; make room on its file system`, { cause: error });
    }
    this.#bytes += line.length;
    if (this.#bytes > this.#compactAbove) this.#compact(tombstone.atMs);
  }

  /** A line per container, and none for what is shown again. The limit then grows with what is left, so that it pays. */
  #compact(atMs: number): void {
    const live = readLines(this.#file).filter((line) => atMs - line.atMs < TOMBSTONE_MS);
    replace(this.#file, merged(live).map(lineOf).join(''));
    closeSync(this.#fd);
    this.#fd = openSync(this.#file, 'a', 0o600);
    this.#bytes = fstatSync(this.#fd).size;
    this.#compactAbove = Math.max(COMPACT_ABOVE_BYTES, 2 * this.#bytes);
  }
}

/** All bits of a container together, with its newest time, which is the one that counts. */
function merged(lines: readonly Tombstone[]): Tombstone[] {
  const bySerial = new Map<number, Tombstone>();
  for (const line of lines) {
    bySerial.set(line.serial, { ...line, bits: line.bits | (bySerial.get(line.serial)?.bits ?? 0) });
  }
  return [...bySerial.values()];
}

function lineOf({ serial: number, bits, atMs }: Tombstone): string {
  return `${number} ${bits} ${atMs}\n`;
}

/** What was unlinked lately; each hides its entry for its whole time again, since the daemon's absence does not count. */
export function readTombstones(file: string, atMs: number): Tombstone[] {
  const lines = readLines(file);
  const newest = lines.at(-1)?.atMs ?? 0;
  const recent = lines.filter((line) => newest - line.atMs < TOMBSTONE_MS).map((line) => ({ ...line, atMs }));
  replace(file, recent.map(lineOf).join(''));
  return recent;
}

/** At once or not at all: the daemon may die at any moment. Without room the old lines stay, which hide a little less. */
function replace(file: string, text: string): void {
  const next = `${file}.new`;
  try {
    writeFileSync(next, text, { mode: 0o600 });
    renameSync(next, file);
  } catch (error) {
    rmSync(next, { force: true });
    if (systemErrno(error) === undefined) throw error;
  }
}

function readLines(file: string): Tombstone[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' ').map(Number))
    .filter((fields) => fields.length === 3 && fields.every(Number.isInteger))
    .map(([number = 0, bits = 0, atMs = 0]) => ({ serial: serial(number), bits, atMs }));
}
