import type { RawIo } from '../../src/kernel/raw-io.ts';
import type { Log } from '../../src/log.ts';

/** Notifications waiting to be written; beyond it the oldest are dropped: the kernel then shows old news until the next. */
const QUEUE_LIMIT = 65_536;

/** Written in one turn of the event loop, some 5 µs each. */
const TURN_LIMIT = 256;

/**
 * Tells the kernel what changed, in the turn after the reply to the request that caused it. Written at once, by the main
 * thread, which owes replies: so only notifications belong here that wait for no lock a request under way may hold. These
 * are INVAL_INODE of a directory, POLL and INC_EPOCH (fs/fuse/inode.c, fuse_reverse_inval_inode; file.c,
 * fuse_notify_poll_wakeup). INVAL_ENTRY and DELETE take the directory's lock: they would need a thread that owes nothing.
 */
export class Notifier {
  readonly #io: RawIo;
  readonly #fd: number;
  readonly #log: Log;
  /** By what they are about, so that the same news is queued once. */
  readonly #queue = new Map<string, Uint8Array>();
  #scheduled = false;

  constructor(io: RawIo, fd: number, log: Log) {
    this.#io = io;
    this.#fd = fd;
    this.#log = log;
  }

  /** `topic` tells notifications apart that say the same. */
  push(topic: string, bytes: Uint8Array): void {
    this.#queue.set(topic, bytes);
    if (this.#queue.size > QUEUE_LIMIT) this.#dropOldest();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#writeSome();
    });
  }

  #writeSome(): void {
    let written = 0;
    for (const [topic, bytes] of this.#queue) {
      if (written++ === TURN_LIMIT) {
        this.#schedule();
        return;
      }
      this.#queue.delete(topic);
      // What it may fail with is as good: ENOENT, the kernel has nothing cached of that; ENODEV, the device is gone.
      this.#io.write(this.#fd, bytes, bytes.length);
    }
  }

  #dropOldest(): void {
    for (const topic of this.#queue.keys()) {
      this.#queue.delete(topic);
      this.#log.warn({ topic, limit: QUEUE_LIMIT }, 'too many notifications wait; the oldest is dropped');
      return;
    }
  }
}
