import type { Pid } from '../ids.ts';

/** A process is not looked at before it is this old: most do not live that long, and runtimes have stages that do not. */
export const YOUNG_MS = 50;

/** New pids that wait to be looked at. Beyond it /proc is listed once they are half as many. */
export const WAITING_PIDS_LIMIT = 16_384;

/** Pids that somebody has got, until their processes are old enough to be looked at. */
export class Newcomers {
  /** Each with when it is due; in that order. */
  readonly #dueMs = new Map<Pid, number>();
  #isOverrun = false;

  /** There were more of them than may wait, and it is too early for a list of all. */
  get isOverrun(): boolean {
    return this.#isOverrun;
  }

  /** When the next is due; Infinity if none waits. */
  get nextDueMs(): number {
    const [first = Infinity] = this.#dueMs.values();
    return first;
  }

  add(pid: Pid, nowMs: number): void {
    if (this.#dueMs.size >= WAITING_PIDS_LIMIT) {
      this.#isOverrun = true;
      return;
    }
    // It may be another one's again, and is behind the others then.
    this.#dueMs.delete(pid);
    this.#dueMs.set(pid, nowMs + YOUNG_MS);
  }

  delete(pid: Pid): void {
    this.#dueMs.delete(pid);
  }

  /** Those that are due; they wait no more. */
  take(nowMs: number, limit: number): Pid[] {
    const due: Pid[] = [];
    for (const [pid, dueMs] of this.#dueMs) {
      if (due.length >= limit || dueMs > nowMs) break;
      due.push(pid);
    }
    for (const pid of due) this.#dueMs.delete(pid);
    return due;
  }

  takeAll(): Pid[] {
    const all = [...this.#dueMs.keys()];
    this.#dueMs.clear();
    return all;
  }

  /** Whether there were too many and now is the time for a list of all. */
  wantsList(): boolean {
    if (!this.#isOverrun || this.#dueMs.size >= WAITING_PIDS_LIMIT / 2) return false;
    this.#isOverrun = false;
    return true;
  }
}
