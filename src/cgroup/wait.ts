import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { FsError } from '../errno.ts';

/** Most kills and freezes are done this soon: ask at every turn of the event loop until then. */
const SPIN_MS = 1;
const PAUSE_MAX_MS = 20;

/**
 * Asks `done` at once, then at every turn for {@link SPIN_MS}, then after 1, 2, 4 … {@link PAUSE_MAX_MS} ms, until it says
 * yes (true) or `limitMs` have passed (false). Throws EINTR when `signal` is aborted meanwhile.
 */
export async function waitUntil(
  done: () => boolean | Promise<boolean>,
  limitMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const start = performance.now();
  let pauseMs = 1;
  for (;;) {
    if (await done()) return true;
    if (signal?.aborted === true) throw new FsError('EINTR', 'interrupted while waiting for the kernel');
    const waitedMs = performance.now() - start;
    if (waitedMs >= limitMs) return false;
    if (waitedMs < SPIN_MS) {
      await nextTurn();
    } else {
      await sleep(Math.min(pauseMs, limitMs - waitedMs));
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
  }
}
