import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { systemErrno } from '../../src/errno.ts';

/** Lines of the file beyond which it is written anew with those that wait. */
const FILE_LIMIT_LINES = 4096;

/** Wakes remembered; the oldest is woken, and asks again, when there are more. */
const WAITING_LIMIT = 4096;

/**
 * Who waits in poll(2). The kernel does not poll again by itself after a daemon's death, so each wake is written down
 * before it is waited for; the next daemon wakes them all once, and they ask again.
 */
export class Pollers {
  readonly #file: string;
  readonly #onWake: (wake: number) => void;
  readonly #waiting: Set<number>;
  #lines: number;

  constructor(file: string, onWake: (wake: number) => void) {
    this.#file = file;
    this.#onWake = onWake;
    const known = readWakes(file);
    this.#waiting = new Set(known);
    this.#lines = known.length;
  }

  /** To be called before a POLL that asks for a wake is answered. */
  add(wake: number): void {
    if (this.#waiting.has(wake)) return;
    this.#waiting.add(wake);
    const [oldest] = this.#waiting;
    if (this.#waiting.size > WAITING_LIMIT && oldest !== undefined) this.wake(oldest);
    this.#lines += 1;
    try {
      if (this.#lines > FILE_LIMIT_LINES) this.#rewrite();
      else appendFileSync(this.#file, `${wake}\n`, { mode: 0o600 });
    } catch (error) {
      // Without room, this one is not woken by the next daemon; that is no reason to refuse it now.
      if (systemErrno(error) === undefined) throw error;
    }
  }

  wake(wake: number): void {
    this.#waiting.delete(wake);
    this.#onWake(wake);
  }

  wakeAll(): void {
    for (const wake of [...this.#waiting]) this.wake(wake);
  }

  #rewrite(): void {
    writeFileSync(this.#file, [...this.#waiting].map((wake) => `${wake}\n`).join(''), { mode: 0o600 });
    this.#lines = this.#waiting.size;
  }
}

function readWakes(file: string): number[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => /^\d+$/.test(line))
      .map(Number);
  } catch {
    return [];
  }
}
