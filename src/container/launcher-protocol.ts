import { FsError } from '../errno.ts';

/** Number of the protocol (`PROTOCOL`, src/init/nsdir-init.h). */
export const PROTOCOL = 3;

/** The oldest that starts containers as this daemon asks for it: a launcher outlives the version that started it. */
export const OLDEST_PROTOCOL = 1;

/** How long a launcher may take to say welcome, or to quit. */
const LAUNCHER_LIMIT_MS = 3000;

/** How a process ended, as wait(2) tells. */
export type ExitStatus = { readonly code: number } | { readonly signal: number };

/** Throws EPROTO for a launcher of a newer version, or of one that is too old. */
export function knownProtocol(text: string): number {
  const number = Number(text);
  if (number >= OLDEST_PROTOCOL && number <= PROTOCOL) return number;
  throw new FsError('EPROTO', `the launcher speaks protocol ${text}, not ${PROTOCOL}`);
}

/** Meaning of wait(2)'s status word (bits/waitstatus.h). */
export function exitStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff } : { signal };
}

/** Throws ETIMEDOUT if the launcher does not do `what` in time. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new FsError('ETIMEDOUT', `The launcher did not answer "${what}" within ${LAUNCHER_LIMIT_MS} ms`));
    }, LAUNCHER_LIMIT_MS);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
