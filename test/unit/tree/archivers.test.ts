import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pid } from '../../../src/ids.ts';
import { isArchiver, mayBeArchiver } from '../../../src/tree/archivers.ts';

let directory: string;
beforeAll(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), 'nsdir-unit-'));
  // A program of the name, and a script of the name.
  fs.copyFileSync('/bin/sleep', path.join(directory, 'rsync'));
  fs.writeFileSync(path.join(directory, 'tar'), '#!/bin/sh\nread line\n', { mode: 0o755 });
});
afterAll(() => {
  fs.rmSync(directory, { recursive: true });
});

test.each([
  ['a program of the name', 'rsync', ['1000'], true, true],
  ['a script of the name', 'tar', [], true, false],
])('%s', async (_, name, args, may, is) => {
  const child = spawn(path.join(directory, name), args, { stdio: 'pipe' });
  try {
    const pid = child.pid as Pid;
    await expect.poll(() => fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim()).toBe(name);
    expect([mayBeArchiver(fs, pid), await isArchiver(pid)]).toEqual([may, is]);
  } finally {
    child.kill('SIGKILL');
  }
});

test('nobody else, nobody who is gone, and nobody out of sight', async () => {
  for (const pid of [process.pid, 4_194_303, 0] as Pid[]) {
    expect([mayBeArchiver(fs, pid), await isArchiver(pid)]).toEqual([false, false]);
  }
});
