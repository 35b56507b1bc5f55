import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openRawIo } from '../../../src/kernel/raw-io.ts';

test('tells that the other end of a descriptor is gone, without waiting for it', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'nsdir-raw-io-'));
  try {
    const fifo = path.join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(fifo, constants.O_WRONLY);
    const io = openRawIo();
    expect(io.isEnded(writer)).toBe(false);
    closeSync(reader);
    expect(io.isEnded(writer)).toBe(true);
    closeSync(writer);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
