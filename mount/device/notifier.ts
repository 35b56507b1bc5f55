import { write } from 'node:fs';
import type { Log } from '../../src/log.ts';

/** Notifications waiting to be written; beyond it the oldest are dropped: the kernel then shows old news until the next. */
const QUEUE_LIMIT = 65_536;

/**
 * Tells the kernel what changed. A notification may wait in the kernel for a lock that a request under way holds, so they
 * are written one at a time by a thread that owes no reply (libuv's pool), and never before the reply to the request
 * that caused them: callers queue them after it.
 */
export class Notifier {
  readonly #fd: number;
  readonly #log: Log;
  /** By what they are about, so that the same news is queued once. */
  readonly #queue = new Map<string, Uint8Array>();
  #writing = false;

  constructor(fd: number, log: Log) {
    this.#fd = fd;
    this.#log = log;
  }

  /** `topic` tells notifications apart that say the same. */
  push(topic: string, bytes: Uint8Array): void {
    this.#queue.set(topic, bytes);
    if (this.#queue.size > QUEUE_LIMIT) this.#dropOldest();
    if (!this.#writing) {
      this.#writing = true;
      // Behind the reply of the request that is being served in this turn.
      setImmediate(() => {
        this.#writeNext();
      });
    }
  }

  #writeNext(): void {
    const [next] = this.#queue;
    if (!next) {
      this.#writing = false;
      return;
    }
    const [topic, bytes] = next;
    this.#queue.delete(topic);
    // ENOENT: the kernel does not have that node in its caches, which is as good.
    write(this.#fd, bytes, 0, bytes.length, null, () => {
      this.#writeNext();
    });
  }

  #dropOldest(): void {
    for (const topic of this.#queue.keys()) {
      this.#queue.delete(topic);
      this.#log.warn({ topic, limit: QUEUE_LIMIT }, 'too many notifications wait; the oldest is dropped');
      return;
    }
  }
}
