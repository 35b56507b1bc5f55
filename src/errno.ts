import { constants } from 'node:os';

/** Names of the errors nsdir answers with; numbers are this machine's own (errno.h). */
export type Errno = keyof typeof constants.errno | 'ENOTSUP' | 'ESTALE';

/**
 * The one error that crosses layers. `errno` is what the caller's system call returns, `message` says what was asked,
 * why it was refused and what to do about it.
 */
export class FsError extends Error {
  override readonly name = 'FsError';
  readonly errno: Errno;

  constructor(errno: Errno, message: string, options?: ErrorOptions) {
    // An answer, not a bug: nobody reads its stack, and recording one costs more than all else of a failed lookup.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = limit;
    this.errno = errno;
  }
}

/** The positive number of `name`, as in errno.h. */
export function errnoNumber(name: Errno): number {
  if (name === 'ENOTSUP') return constants.errno.EOPNOTSUPP;
  return (constants.errno as Record<string, number>)[name] ?? constants.errno.EIO;
}

/** The name of a positive errno number, `EIO` for an unknown one. */
export function errnoName(number: number): Errno {
  const found = Object.entries(constants.errno).find(([, value]) => value === number);
  return (found?.[0] ?? 'EIO') as Errno;
}

/** The errno name an error of Node's `fs` carries, or `undefined` if it is not one. */
export function systemErrno(error: unknown): Errno | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code in constants.errno ? (code as Errno) : undefined;
}

/** Characters of what was written that an error shows. */
const QUOTED_MAX = 60;

/** What somebody wrote, fit for an error's one line: in quotes, without control characters, and not at length. */
export function quoted(text: string): string {
  const shown = text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}…` : text;
  // JSON leaves DEL and the C1 controls, on which terminals act.
  return JSON.stringify(shown).replace(/[\u007f-\u009f]/g, '\u{FFFD}');
}

/** For `default:` of a switch over a union: the compiler says when a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
