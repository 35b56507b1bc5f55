import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { FsError } from '../errno.ts';

/** koffi, loaded when it is first needed: commands that make no system call of their own work without it. ENOSYS. */
export function loadKoffi(): typeof Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as typeof Koffi;
  } catch (cause) {
    throw new FsError('ENOSYS', 'Cannot load koffi, which makes system calls; install nsdir anew (npm ci)', { cause });
  }
}
