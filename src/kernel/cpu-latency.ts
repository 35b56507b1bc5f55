import { openSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Documentation/power/pm_qos_interface.rst */
const PM_QOS = '/dev/cpu_dma_latency';

/** How long a processor may take to wake up, in microseconds; the second is PM_QOS_DEFAULT_VALUE: as long as it does else. */
const [AT_ONCE, AS_ELSE] = [0, -1];

/** On a machine with more processors, to wake all of them costs more than is won. */
const AWAKE_CPUS_LIMIT = 16;

/** How long they are kept awake for a piece of work that does not end. */
const AWAKE_LIMIT_MS = 20;

/** Work that begins so soon after other ended is one of many in a row: after it, they are kept awake as long for the next. */
const ROW_MS = 5;

/** Asks the kernel for so many microseconds. */
export type AskLatency = (us: number) => void;

/**
 * Keeps idle processors from sleeping while somebody waits for work that goes from process to process: each of its wake-ups
 * would be one of a processor too, which takes several times as long, on a virtual machine above all. The kernel has them
 * watch for work meanwhile. To ask for that takes some 10 µs, and ends with this process.
 */
export class CpuLatency {
  readonly #ask: AskLatency | undefined;
  /** What is under way and not too old, the oldest first, and when that began. */
  readonly #works = new Map<object, number>();
  /** When the last ended. */
  #endedMs = -Infinity;
  #isRow = false;
  #isAwake = false;
  #limitTimer: NodeJS.Timeout | undefined;
  #rowTimer: NodeJS.Timeout | undefined;

  /** `ask`: `undefined` where that is not to be had; then nothing is done. */
  constructor(ask: AskLatency | undefined = openLatency()) {
    this.#ask = ask;
  }

  begin(work: object): void {
    if (!this.#ask) return;
    const nowMs = performance.now();
    this.#isRow = nowMs - this.#endedMs < ROW_MS;
    this.#works.set(work, nowMs);
    this.#limitTimer ??= this.#lookIn(AWAKE_LIMIT_MS);
    this.#set(true);
  }

  end(work: object): void {
    if (!this.#works.delete(work) || this.#works.size > 0) return;
    this.#endedMs = performance.now();
    if (this.#isRow) this.#rowTimer = this.#rowTimer?.refresh() ?? this.#endRowIn(ROW_MS);
    else this.#set(false);
  }

  #endRowIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#works.size === 0) this.#set(false);
    }, ms).unref();
  }

  /** One timer for all, however many begin and end meanwhile. */
  #lookIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#forgetOld();
    }, ms).unref();
  }

  #forgetOld(): void {
    const nowMs = performance.now();
    this.#limitTimer = undefined;
    for (const [work, begunMs] of this.#works) {
      const leftMs = begunMs + AWAKE_LIMIT_MS - nowMs;
      if (leftMs > 0) {
        this.#limitTimer = this.#lookIn(leftMs);
        return;
      }
      this.end(work);
    }
  }

  #set(isAwake: boolean): void {
    if (this.#isAwake === isAwake) return;
    this.#isAwake = isAwake;
    this.#ask?.(isAwake ? AT_ONCE : AS_ELSE);
  }
}

/** `undefined` if the kernel has none (ENOENT), we may not (EACCES, EPERM), or it would not pay. */
function openLatency(): AskLatency | undefined {
  if (availableParallelism() > AWAKE_CPUS_LIMIT) return undefined;
  try {
    const fd = openSync(PM_QOS, 'w');
    return (us) => {
      try {
        writeSync(fd, Int32Array.of(us));
      } catch {
        // What it is for goes on without.
      }
    };
  } catch {
    return undefined;
  }
}
