import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, getPriority, setPriority } from 'node:os';
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

/** How often is looked whether others keep the main thread from its turn. */
const TURN_LOOK_MS = 250;

/** Of all time: where it waits for so much while others run, and so many for each processor want to, it is kept. */
const KEPT_SHARE = 0.2;
const CROWD = 4;

/** How long the session then goes first after so many wanted to run for the last time. */
const SESSION_FIRST_MS = 3_000;

const NS_PER_MS = 1_000_000;

/**
 * Has the session of this process go first while others keep the main thread from its turn, if it is its parent's own, as the
 * supervisor's is, and nobody gave it a nice value: where the kernel divides the time among sessions first, nice values count
 * within one only (sched(7), "The autogroup feature"). Not always: whoever asks one thing after another on our processor
 * would be interrupted by each, and wait a quarter longer.
 */
export function haveSessionGoFirstIfKept(): void {
  try {
    const [, , , session] = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    if (getPriority(0) !== 0 || Number(session) !== process.ppid) return;
    let [lookedMs, waitedNs, crowdedMs, nice] = [performance.now(), waited(), -Infinity, 0];
    setInterval(() => {
      const [nowMs, nowNs] = [performance.now(), waited()];
      const isKept = nowNs - waitedNs > KEPT_SHARE * NS_PER_MS * (nowMs - lookedMs);
      if ((isKept || nice !== 0) && wantingToRun() > CROWD * availableParallelism()) crowdedMs = nowMs;
      [lookedMs, waitedNs] = [nowMs, nowNs];
      const wanted = nowMs - crowdedMs < SESSION_FIRST_MS ? SERVING_NICE : 0;
      if (wanted !== nice) nice = setSessionNice(wanted);
    }, TURN_LOOK_MS).unref();
  } catch {
    // Such a kernel does not tell (ENOENT).
  }
}

/** Nanoseconds that the main thread of this process has waited for a processor (Documentation/scheduler/sched-stats.rst). */
function waited(): number {
  return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1]);
}

/** How many want a processor on this machine (proc_loadavg(5)). */
function wantingToRun(): number {
  return Number.parseInt(readFileSync('/proc/loadavg', 'latin1').split(' ')[3] ?? '');
}

/** What it is now. */
function setSessionNice(nice: number): number {
  try {
    writeFileSync('/proc/self/autogroup', String(nice));
  } catch {
    // There are none (ENOENT), or we may not (EPERM).
  }
  return nice;
}
