import { systemErrno } from './errno.ts';

/** Of the name alone Node makes such an object at each call. */
const UTF8 = { encoding: 'utf8' } as const;

/**
 * The files of /proc and cgroupfs as this program reads and writes them: always whole, always short, therefore sync; but
 * for the list of all processes. `node:fs` is one as it is; in tests a memfs volume stands in.
 */
export interface FileAccess {
  readFileSync(path: string, encoding: 'utf8' | 'latin1' | typeof UTF8): string;
  writeFileSync(path: string, data: string): void;
  mkdirSync(path: string): unknown;
  rmdirSync(path: string): void;
  readdirSync(path: string): string[];
  readdirSync(path: string, options: { withFileTypes: true }): { readonly name: string; isDirectory(): boolean }[];
  readlinkSync(path: string): string;
  statSync(path: string): { readonly ino: number; readonly nlink: number; readonly uid: number; readonly gid: number };
  existsSync(path: string): boolean;
  readonly promises: { readdir(path: string): Promise<string[]> };
}

/**
 * What a file in /proc or cgroupfs answers when its process or cgroup went: ENOENT at open, ESRCH or ENODEV at read
 * (proc(5), kernfs).
 */
const GONE: readonly unknown[] = ['ENOENT', 'ESRCH', 'ENODEV'];

export function isGone(error: unknown): boolean {
  return GONE.includes(systemErrno(error));
}

/** What `action` returns, or `undefined` if what it touches is gone. Every other error passes. */
export function ifThere<T>(action: () => T): T | undefined {
  return unless(isGone, action);
}

/**
 * What `action` returns, or `undefined` for an error that is expected. No stack is made for that, which takes longer than
 * the call that fails, and in a storm of processes most of them do.
 */
function unless<T>(isExpected: (error: unknown) => boolean, action: () => T): T | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return action();
  } catch (error) {
    if (isExpected(error)) return undefined;
    Error.stackTraceLimit = stackTraceLimit;
    if (error instanceof Error) Error.captureStackTrace(error);
    throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The file's text, or `undefined` if it, its process or its cgroup is gone. */
export function readIfThere(files: FileAccess, path: string): string | undefined {
  return ifThere(() => files.readFileSync(path, UTF8));
}

/** The link's target, or `undefined` if it is gone or may not be read (proc(5): PTRACE_MODE_READ). */
export function readlinkIfAllowed(files: FileAccess, path: string): string | undefined {
  return unless(isGoneOrForbidden, () => files.readlinkSync(path));
}

function isGoneOrForbidden(error: unknown): boolean {
  return isGone(error) || ['EACCES', 'EPERM'].includes(systemErrno(error) ?? '');
}
