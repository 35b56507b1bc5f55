import { readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { loadKoffi } from './load-koffi.ts';

/** nice(2): its weight is nine times the usual one. */
const SERVING_NICE = -10;

/** linux/sched.h: what is forked from such a thread, a process or a thread, has the usual nice value again (sched(7)). */
const SCHED_OTHER_RESET_ON_FORK = 0x4000_0000;

/**
 * For the calling thread, if others wait for it and it has little to do for each: among hundreds of runnable processes it
 * would else wait for its turn for tens of milliseconds, and where it runs only now and then, behind whatever runs there.
 * Not for what it starts. Without CAP_SYS_NICE, or for who was given a nice value, all is as before.
 */
export function goFirst(): void {
  try {
    if (getPriority(0) !== 0) return;
    const koffi = loadKoffi();
    const schedule = koffi.load(null).func('int sched_setscheduler(int tid, int policy, const void *parameters)');
    // Of the calling thread alone, as a nice value is (sched(7)). Where the C library cannot do it, nobody is to inherit.
    if (schedule(0, SCHED_OTHER_RESET_ON_FORK, new Int32Array(1)) !== 0) return;
    setPriority(0, SERVING_NICE);
  } catch {
    // We may not: served in turn, then.
  }
}

/**
 * For the session of this process, if that is its parent's own, as the supervisor's is, and nobody gave it a nice value: where
 * the kernel divides the time among sessions first, nice values count within one only (sched(7), "The autogroup feature").
 */
export function haveSessionGoFirst(): void {
  try {
    if (getPriority(0) !== 0) return;
    const [, , , session] = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    if (Number(session) === process.ppid) writeFileSync('/proc/self/autogroup', String(SERVING_NICE));
  } catch {
    // There are none (ENOENT), or we may not (EPERM).
  }
}
