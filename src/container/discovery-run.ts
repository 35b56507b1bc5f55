import { setTimeout as sleep } from 'node:timers/promises';
import { startTracer, type TracerOptions } from '../discovery/tracer.ts';
import type { Pid } from '../ids.ts';
import { namespaceInode } from '../proc/process.ts';
import type { Discovery } from './discovery.ts';
import { LostEvents } from './lost-events.ts';
import type { Machine } from './machine.ts';
import { Quiet, quietRoundMs } from './quiet.ts';

/** How often it is looked whether anything happened; that costs some 20 µs. */
export const ROUND_MS = 50;

/** How long the first picture waits for events to come. */
const TRACER_WAIT_MS = 2_000;

/** Events name pids of the initial pid namespace (PROC_PID_INIT_INO, linux/proc_ns.h). */
const INITIAL_PID_NAMESPACE = 4_026_531_836;

type Around = Pick<Machine, 'instance' | 'files' | 'log'>;

/** `exact`: with events that slow every system call. */
type Events = Pick<TracerOptions, 'exact' | 'initBinary'>;

/** Looks at the machine again and again, for the daemon's life. */
export async function runDiscovery(discovery: Discovery, machine: Around, events: Events): Promise<void> {
  const wait = (ms: number) => sleep(ms, undefined, { ref: false });
  const quiet = new Quiet();
  await Promise.race([trace(discovery, machine, events, quiet), wait(TRACER_WAIT_MS)]);
  await discovery.ready();
  for (;;) {
    const begunMs = performance.now();
    const leftQuietMs = discovery.quietUntilMs - begunMs;
    const roundMs = quietRoundMs(discovery.observer.roundsPerTurn * ROUND_MS, leftQuietMs === Infinity);
    const quietMs = Math.min(leftQuietMs, roundMs);
    if (quietMs > ROUND_MS) await quiet.last(quietMs);
    const leftMs = begunMs + ROUND_MS - performance.now();
    if (leftMs > 0) await wait(leftMs);
    try {
      await discovery.round(Math.max(1, Math.floor((performance.now() - begunMs) / ROUND_MS)));
    } catch (cause) {
      machine.log.error({ err: cause }, 'bug: a round of discovery failed');
    }
  }
}

/** Events tell who made what, also of makers that are gone when anybody looks. Fulfilled when they come, or never will. */
async function trace(
  { observer }: Discovery,
  { log, instance, files }: Around,
  { exact, initBinary }: Events,
  quiet: Quiet,
): Promise<void> {
  if (namespaceInode(files, 'self', 'pid') !== INITIAL_PID_NAMESPACE) return;
  const lost = new LostEvents(log);
  await new Promise<void>((settle) => {
    const tracer = startTracer({
      name: `nsdir-${instance.id}`,
      initBinary,
      exact,
      onReady: (askForMark) => {
        observer.beginTracing(exact, askForMark);
        settle();
      },
      onEvent: (event) => {
        const nowMs = performance.now();
        if (event.kind === 'lost') lost.note(nowMs);
        observer.hear(event, nowMs);
        quiet.end();
      },
      onEnd: (reason) => {
        settle();
        observer.endTracing();
        quiet.end();
        log.warn({ reason }, 'no events from the kernel; looking at /proc only');
      },
    });
    if (tracer !== undefined) observer.ignored.add(tracer as Pid);
  });
}
