import { appendFileSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { TOMBSTONE_MS } from '../../src/container/registry.ts';
import { serial } from '../../src/ids.ts';
import type { Tombstone } from './worker-protocol.ts';

/** Beyond it, what is older than a tombstone's life is thrown away. */
const FILE_LIMIT_BYTES = 1 << 18;

/**
 * Unlinked control entries are written down before the unlink is answered, so that a removal that is under way goes on
 * when the daemon dies between its unlinks and its rmdir.
 */
export function appendTombstone(file: string, { serial: number, bits, atMs }: Tombstone): void {
  appendFileSync(file, `${number} ${bits} ${atMs}\n`, { mode: 0o600 });
  written += 1;
  if (written % 1024 === 0 && statSync(file).size > FILE_LIMIT_BYTES) compact(file, atMs);
}

let written = 0;

/** What was unlinked lately; each hides its entry for its whole time again, since the daemon's absence does not count. */
export function readTombstones(file: string, atMs: number): Tombstone[] {
  const lines = readLines(file);
  const newest = lines.at(-1)?.atMs ?? 0;
  truncateIfThere(file);
  const recent = lines.filter((line) => newest - line.atMs < TOMBSTONE_MS).map((line) => ({ ...line, atMs }));
  for (const tombstone of recent) appendTombstone(file, tombstone);
  return recent;
}

function compact(file: string, atMs: number): void {
  const live = readLines(file).filter((line) => atMs - line.atMs < TOMBSTONE_MS);
  truncateSync(file);
  appendFileSync(file, live.map((line) => `${line.serial} ${line.bits} ${line.atMs}\n`).join(''));
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

function truncateIfThere(file: string): void {
  try {
    truncateSync(file);
  } catch {
    // It was not there.
  }
}
