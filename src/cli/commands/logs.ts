import { open, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemErrno } from '../../errno.ts';
import { type Instance, stateFiles } from '../../instance.ts';
import { defineCommand, Failure, UsageError } from '../command.ts';
import { containerDirectory, serialAt, stateAt } from '../container-client.ts';
import { MOUNT_OPTION, PLACE_OPTIONS, placeFor, treeAt } from '../place.ts';
import { startOfKept, startOfLastLines } from '../tail.ts';

/** How often a followed file and its container are looked at. */
const FOLLOW_MS = 100;

const CHUNK_BYTES = 1 << 16;

export const logs = defineCommand({
  name: 'logs',
  summary: 'show what detached commands of a container wrote',
  usage: '[OPTION…] NAME',
  details: ['It is what commands started by nsdir run --detach wrote to standard output and standard error.'],
  options: {
    follow: { type: 'boolean', short: 'f', summary: 'go on until the container has ended' },
    lines: { type: 'string', short: 'n', argument: 'LINES', summary: 'begin with the last LINES only' },
    ...MOUNT_OPTION,
    ...PLACE_OPTIONS,
  },
  words: [1, 1],
  async run({ values, words }) {
    const lines = values.lines === undefined ? undefined : Number(values.lines);
    if (lines !== undefined && !(Number.isSafeInteger(lines) && lines >= 0)) {
      throw new UsageError(`--lines takes a number, not ${JSON.stringify(values.lines)}`);
    }
    const instance = await placeFor(await treeAt(values.mount), values);
    const directory = containerDirectory(instance.mountPoint, words[0] ?? '');
    const file = await outputOf(instance, directory);
    const follow = values.follow === true;
    await using log = await openOutput(file, directory, follow);
    if (log === undefined) return 0;
    const kept = await startOfKept(log);
    if (kept > 0 && lines === undefined)
      process.stderr.write(`the first ${kept} bytes are not kept; see --output-limit\n`);
    let position = lines === undefined ? kept : await startOfLastLines(log, lines, kept);
    for (;;) {
      // Asked before the rest is read: what it wrote until it ended must not be missed.
      const ended = !follow || !(await isRunning(directory));
      position = await copyFrom(log, position);
      if (ended) return 0;
      await sleep(FOLLOW_MS);
    }
  },
});

async function outputOf(instance: Instance, directory: string): Promise<string> {
  return stateFiles(instance, await serialAt(directory)).output;
}

/** No file yet is no output yet. With `follow` it is waited for while the container runs. */
async function openOutput(file: string, directory: string, follow: boolean): Promise<FileHandle | undefined> {
  for (;;) {
    const ended = !follow || !(await isRunning(directory));
    try {
      return await open(file, 'r');
    } catch (error) {
      const errno = systemErrno(error);
      if (errno !== 'ENOENT') {
        throw new Failure(`Cannot read ${file}: ${errno ?? String(error)}${errno === 'EACCES' ? '; try sudo' : ''}`);
      }
    }
    if (ended) {
      const given = (await isThere(path.dirname(file))) ? '' : '; was nsdir mount given --state-dir? Give it here too';
      process.stderr.write(`nothing was written by a detached command${given}\n`);
      return undefined;
    }
    await sleep(FOLLOW_MS);
  }
}

async function isRunning(directory: string): Promise<boolean> {
  const state = await stateAt(directory);
  return state === 'running' || state === 'frozen';
}

/** Copies what there is behind `position` to standard output; resolves to where it ended. */
async function copyFrom(log: FileHandle, position: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const { size } = await log.stat();
  // Cut short by someone: what is there now is new.
  let at = size < position ? 0 : position;
  for (;;) {
    const { bytesRead } = await log.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return at;
    at += bytesRead;
    await written(Buffer.from(chunk.subarray(0, bytesRead)));
  }
}

function written(data: Buffer): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(data, () => {
      resolve();
    });
  });
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}
