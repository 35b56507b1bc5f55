import { accessSync, closeSync, constants, openSync, readFileSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { FsError } from '../errno.ts';

/** A program that runs OCI bundles by the command line of runc(8). */
export interface Runtime {
  /** Absolute path. */
  readonly program: string;
  readonly options: readonly string[];
}

/** In the order in which they are tried; one more is one more row. */
const RUNTIMES: readonly { readonly name: string; readonly options: readonly string[] }[] = [
  { name: 'runc', options: [] },
  { name: 'crun', options: ['--cgroup-manager', 'cgroupfs'] },
];

const DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The runtime of this machine; NSDIR_RUNTIME names the only one to be used. Throws ENOENT if there is none. */
export function findRuntime(): Runtime {
  const { NSDIR_RUNTIME: only } = process.env;
  for (const { name, options } of RUNTIMES) {
    if (only !== undefined && path.basename(only) !== name) continue;
    const places = only === undefined ? DIRECTORIES.map((directory) => path.join(directory, name)) : [only];
    const program = places.find(isExecutable);
    if (program !== undefined) return { program, options };
  }
  const names = RUNTIMES.map(({ name }) => name).join(' nor ');
  throw new FsError('ENOENT', `there is neither ${names} here to run a bundle with; install one of them`);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Absolute paths of what a runtime is told. */
export interface RuntimePlace {
  /** Its directory of what it has made. */
  readonly root: string;
  readonly log: string;
  readonly pidFile: string;
}

/** Starts the bundle and ends, the bundle's first process running on. */
export function runCommand(runtime: Runtime, place: RuntimePlace, bundle: string, id: string): string[] {
  return [...common(runtime, place), 'run', '--detach', '--pid-file', place.pidFile, '--bundle', bundle, id];
}

/** Forgets what has ended, and has its hooks run. */
export function deleteCommand(runtime: Runtime, place: RuntimePlace, id: string): string[] {
  return [...common(runtime, place), 'delete', '--force', id];
}

function common({ program, options }: Runtime, { root, log }: RuntimePlace): string[] {
  return [program, ...options, '--root', root, '--log', log, '--log-format', 'json'];
}

/** How much of what a runtime said at last is looked at. */
const LAST_WORD_LIMIT_BYTES = 4096;

/**
 * The last line of a file after `from` bytes of it; `undefined` if there is none. What is wrong before a runtime has opened its
 * log it says there: crun on its standard error, which is the container's.
 */
export function lastLine(file: string, from: number): string | undefined {
  const size = sizeOf(file);
  const at = Math.max(from, size - LAST_WORD_LIMIT_BYTES);
  if (at >= size) return undefined;
  const bytes = Buffer.alloc(size - at);
  const fd = openSync(file, 'r');
  try {
    const text = bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, at));
    return text.trim().split('\n').at(-1)?.trim() || undefined;
  } finally {
    closeSync(fd);
  }
}

/** Bytes of a file; 0 if it is not there. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** The last error in a runtime's log, in its own words; `undefined` if there is none. */
export function errorIn(log: string): string | undefined {
  return readOrNothing(log)
    .split('\n')
    .flatMap((line) => messageOf(line) ?? [])
    .at(-1);
}

function messageOf(line: string): string | undefined {
  try {
    const { level, msg } = JSON.parse(line) as { readonly level?: unknown; readonly msg?: unknown };
    return level === 'error' && typeof msg === 'string' ? msg.trim() : undefined;
  } catch {
    return undefined;
  }
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
