import fs from 'node:fs';
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemErrno } from '../errno.ts';
import { isGone } from '../files.ts';
import { pid as checkedPid, PID_MAX } from '../ids.ts';
import { linuxKernel } from '../kernel/linux.ts';
import { pin, signalPinned, type PinnedProcess } from '../proc/pinned.ts';
import { isAlive as isProcessAlive } from '../proc/process.ts';

const POLL_MS = 10;

/** The process a pid file names, if it still is the one meant: its command line has all of `words`. */
export async function pidFrom(file: string, words: readonly string[]): Promise<PinnedProcess | undefined> {
  const number = Number.parseInt((await readIfThere(file)) ?? '', 10);
  if (!(number > 0 && number <= PID_MAX)) return undefined;
  const found = pin(fs, checkedPid(number));
  // Read after it was pinned, and pinned it still is: so these are its words.
  return found !== undefined && (await hasWords(number, words)) && isAlive(found) ? found : undefined;
}

/** Whether process `pid` lives and has `words` in its command line; the last path component counts for a path. */
async function hasWords(pid: number, words: readonly string[]): Promise<boolean> {
  const line = (await readIfThere(`/proc/${pid}/cmdline`)) ?? '';
  const have = line.split('\0').flatMap((word) => [word, word.slice(word.lastIndexOf('/') + 1)]);
  return words.every((word) => have.includes(word));
}

/** Lives, and is no zombie. */
function isAlive({ pid, startTime }: PinnedProcess): boolean {
  return isProcessAlive(fs, pid, startTime);
}

/** Waits until none of the processes lives; false if one still does after `timeoutMs`. */
export async function untilGone(processes: readonly PinnedProcess[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (!processes.some(isAlive)) return true;
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
}

/** A signal to a process that may be gone. */
export function signalIfThere(process: PinnedProcess, signal: NodeJS.Signals): void {
  signalPinned({ files: fs, kernel: linuxKernel() }, process, constants.signals[signal]);
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
