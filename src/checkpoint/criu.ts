import { execFile, spawn } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { release } from 'node:os';
import { promisify } from 'node:util';
import { FsError } from '../errno.ts';

/** Where scripts/setup-criu puts one, and what the machine has. */
const PROGRAMS = ['/usr/local/lib/nsdir/criu/criu', '/usr/sbin/criu', '/usr/bin/criu'];

/** The oldest CRIU that works with a kernel, newest kernels first; the same table is in scripts/setup-criu. */
const OLDEST = [
  { kernel: [6, 16], criu: [4, 2] },
  { kernel: [6, 13], criu: [4, 0] },
  { kernel: [0, 0], criu: [3, 15] },
] as const;

/** How long criu may take to tell its version, or whether the kernel has what it needs. */
const ASK_LIMIT_MS = 20_000;

/** Bytes of what one criu logs; then its log is started anew. */
const CRIU_LOG_LIMIT_BYTES = 64 << 20;
const LOG_CHECK_MS = 1_000;

/** What a log begins with then: what was said before is not known. */
export const LOG_BEGUN_ANEW = '(nsdir: begun anew)\n';

export interface Criu {
  /** Absolute path. */
  readonly program: string;
  readonly version: string;
}

const run = promisify(execFile);
let found: Criu | undefined;

/** The first CRIU that is new enough for this kernel. Throws EIO with the reason why there is none. */
export async function findCriu(): Promise<Criu> {
  if (found) return found;
  const tooOld: string[] = [];
  const oldest = oldestFor(release());
  // NSDIR_CRIU names the only one to be used.
  const { NSDIR_CRIU: only } = process.env;
  for (const program of only === undefined ? PROGRAMS : [only]) {
    const version = await versionOf(program);
    if (version === undefined) continue;
    if (!isBelow(numbers(version), oldest)) return (found = { program, version });
    tooOld.push(`${program} is ${version}`);
  }
  const why = tooOld.length > 0 ? tooOld.join(', ') : 'there is no criu';
  throw new FsError(
    'EIO',
    `Linux ${release()} needs CRIU ${oldest.join('.')} or later for checkpoints, and ${why}; run scripts/setup-criu`,
  );
}

/** Whether the kernel has what CRIU needs: what `criu check` says, undefined if all is well. */
export async function checkCriu({ program }: Criu): Promise<string | undefined> {
  try {
    await run(program, ['check'], { timeout: ASK_LIMIT_MS });
    return undefined;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    return firstError(stderr) ?? 'criu check failed';
  }
}

async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, ['--version'], { timeout: ASK_LIMIT_MS });
    return /^Version:\s*(\S+)/m.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

export function oldestFor(kernel: string): readonly number[] {
  return OLDEST.find((row) => !isBelow(numbers(kernel), row.kernel))?.criu ?? [0, 0];
}

function numbers(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part));
}

function isBelow(version: readonly number[], other: readonly number[]): boolean {
  const [major = 0, minor = 0] = version;
  const [otherMajor = 0, otherMinor = 0] = other;
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

/** How long criu may take for what it does without any process. */
export const CPU_LIMIT_MS = 20_000;

/** A limit that a variable of the environment sets, or `usual`. */
export function givenLimitMs(given: string | undefined, usual: number): number {
  return given !== undefined && /^[1-9][0-9]{0,8}$/.test(given) ? Number(given) : usual;
}

export interface CriuRun {
  /** Criu's program and arguments. */
  readonly command: readonly string[];
  /** The init's program (src/init/private.c). */
  readonly runner: string;
  /** What criu knows of the kernel (`CriuFacts`). */
  readonly known: string;
  /** Existing directory; `criu.out` and the log are in it. */
  readonly workDir: string;
  /** Name of the log there. */
  readonly log: string;
  readonly limitMs: number;
  /** Called with criu's pid after `limitMs`, and then every second: ends it, if it can be ended without harm. */
  readonly press?: (pid: number) => Promise<void>;
  /** Called once it was ended by a signal, whosoever: undoes what it cannot undo itself any more. */
  readonly undo?: () => Promise<void>;
}

/** Where it, and whoever undoes what it did, finds the machine's programs. */
export const CRIU_ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } as const;

/** Between two attempts to end a criu that is late, and how many there are. */
const PRESS_EVERY_MS = 1_000;
const PRESSES_LIMIT = 60;

/**
 * Runs criu in a mount namespace of its own with its own /run. It is a process of its own right: it goes on if the daemon
 * dies. Throws EIO or EBUSY with its first error, ETIMEDOUT if it takes longer than `limitMs`; if it could not be ended then,
 * it goes on, because a process it has hold of might not survive its death.
 */
export async function runCriu({ command, runner, known, workDir, log, limitMs, press, undo }: CriuRun): Promise<void> {
  const out = openSync(`${workDir}/criu.out`, 'a', 0o600);
  const child = spawn(runner, ['private', known, ...command], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', out, out],
    env: CRIU_ENVIRONMENT,
  });
  closeSync(out);
  const ended = new Promise<number | Error>((resolve) => {
    child.once('error', resolve);
    child.once('exit', (code, signal) => {
      resolve(code ?? new Error(`ended by ${String(signal)}`));
    });
  });
  const stopBounding = boundLog(`${workDir}/${log}`);
  void ended.then(stopBounding);
  const outcome = await within(ended, limitMs);
  if (outcome === 0) return;
  if (outcome === undefined) {
    for (let presses = 0; presses < PRESSES_LIMIT && press && child.pid !== undefined; presses++) {
      await press(child.pid);
      const late = await within(ended, PRESS_EVERY_MS);
      if (late === undefined) continue;
      if (late instanceof Error) await undo?.();
      throw new FsError('ETIMEDOUT', `it took more than ${limitMs} ms, and was ended`);
    }
    throw new FsError('ETIMEDOUT', `it took more than ${limitMs} ms, and goes on; its log is ${workDir}/${log}`);
  }
  if (outcome instanceof Error) await undo?.();
  throw failureOf(explain(workDir, log) ?? (outcome instanceof Error ? outcome.message : 'criu failed'));
}

/** What it refuses is so for a moment only, as a rule: what the kernel answered a process that has not read it yet. */
const FLEETING = /^netlink: The socket has data to read/;

/** By its first word of why it failed: EBUSY for what may pass, else EIO. */
export function failureOf(why: string): FsError {
  return FLEETING.test(why) ? new FsError('EBUSY', `${why}; try again`) : new FsError('EIO', why);
}

/** One line of why criu failed, from its log or its output. */
export function explain(workDir: string, log: string): string | undefined {
  return [`${workDir}/${log}`, `${workDir}/criu.out`].map(readLog).map(firstError).find(Boolean);
}

/** What says nothing: noise, or the consequence of an error that was told before. */
const SECONDARY =
  /RLIMIT_NOFILE|already assigned|FAILED|cgroupd|Dump files .* failed|exited, status|Can't wait or bad status/;

/** The first error in what criu wrote, without its time and its place in the source. */
export function firstError(text: string): string | undefined {
  const line = text.split('\n').find((candidate) => candidate.includes('Error (') && !SECONDARY.test(candidate));
  return line?.replace(/^.*?Error \([^)]*\):\s*/, '').trim();
}

/** What criu logged, nothing if there is no log. */
export function readLog(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function boundLog(file: string): () => void {
  const timer = setInterval(() => {
    try {
      if (statSync(file).size <= CRIU_LOG_LIMIT_BYTES) return;
      const fd = openSync(file, 'r+');
      ftruncateSync(fd);
      writeSync(fd, LOG_BEGUN_ANEW, 0);
      closeSync(fd);
    } catch {
      // Not there yet.
    }
  }, LOG_CHECK_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}

async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined);
    }, limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
