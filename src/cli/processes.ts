import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemErrno } from '../errno.ts';
import { isGone } from '../files.ts';

const POLL_MS = 10;

/**
 * The process a pid file names, if it still is the one meant: its command line has all of `words`. A pid may be another
 * process's by now.
 */
export async function pidFrom(file: string, words: readonly string[]): Promise<number | undefined> {
  const pid = Number.parseInt((await readIfThere(file)) ?? '', 10);
  if (!(pid > 0)) return undefined;
  return (await hasWords(pid, words)) ? pid : undefined;
}

/** Whether process `pid` lives and has `words` in its command line; the last path component counts for a path. */
async function hasWords(pid: number, words: readonly string[]): Promise<boolean> {
  const line = (await readIfThere(`/proc/${pid}/cmdline`)) ?? '';
  const have = line.split('\0').flatMap((word) => [word, word.slice(word.lastIndexOf('/') + 1)]);
  return words.every((word) => have.includes(word));
}

/** Lives, and is no zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  return stat !== undefined && !/^.*\) [ZX]/s.test(stat);
}

/** Waits until none of the processes lives; false if one still does after `timeoutMs`. */
export async function untilGone(pids: readonly number[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const alive = await Promise.all(pids.map(isAlive));
    if (!alive.includes(true)) return true;
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
}

/** kill(2) of a process that may be gone. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The file's text; `undefined` if it, or its process, is gone, or it is not for us to read. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isGone(error) || systemErrno(error) === 'EACCES') return undefined;
    throw error;
  }
}
