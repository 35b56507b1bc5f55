import { fstatSync, readSync, writeSync } from 'node:fs';
import { systemErrno } from '../../src/errno.ts';

/** A request's bytes that are kept; what a control entry takes in one write is less, and more is refused anyway. */
const SLOT_BYTES = 8192;
const LENGTH_BYTES = 4;

/** Unanswered requests that are written down; the kernel sends fewer at once (threads that wait, `max_background`). */
const SLOTS_LIMIT = 65_536;

/** Offset of `unique` in `fuse_in_header`, and the header's length. */
const UNIQUE_OFFSET = 8;
const HEADER_BYTES = 40;

export interface Unanswered {
  readonly slot: number;
  readonly bytes: Uint8Array;
}

/**
 * Requests that were read and not answered yet, in a file: for kernels that cannot send them again to the next daemon
 * (FUSE_NOTIFY_RESEND, Linux 6.9). Each has a slot `length, bytes`; a length of 0 frees the slot and leaves its bytes. The
 * serving thread takes slots; whoever writes the reply frees the slot afterwards.
 */
export class InFlight {
  /** What a former daemon left, in no order: still in its slots. */
  readonly unanswered: readonly Unanswered[];
  /** The largest number that any request had which was written down here; 0 if there was none. */
  readonly lastUnique: number;
  readonly #fd: number;
  readonly #free: number[] = [];
  readonly #entry = Buffer.alloc(SLOT_BYTES);
  #used: number;

  /** `fd` is open for reading and writing, and empty on a new device. */
  constructor(fd: number) {
    this.#fd = fd;
    this.#used = Math.ceil(fstatSync(fd).size / SLOT_BYTES);
    const unanswered: Unanswered[] = [];
    let last = 0;
    for (let slot = 0; slot < this.#used; slot++) {
      const read = readSync(fd, this.#entry, 0, SLOT_BYTES, slot * SLOT_BYTES);
      const length = this.#entry.readUInt32LE();
      if (read < LENGTH_BYTES + HEADER_BYTES) continue;
      last = Math.max(last, Number(this.#entry.readBigUInt64LE(LENGTH_BYTES + UNIQUE_OFFSET)));
      if (length < HEADER_BYTES || LENGTH_BYTES + length > read) this.#free.push(slot);
      else unanswered.push({ slot, bytes: new Uint8Array(this.#entry.subarray(LENGTH_BYTES, LENGTH_BYTES + length)) });
    }
    this.unanswered = unanswered;
    this.lastUnique = last;
  }

  /** The slot taken, or `undefined` when all are, or the disk is full: then this request is lost if the daemon dies. */
  keep(bytes: Uint8Array): number | undefined {
    const slot = this.#free.pop() ?? (this.#used < SLOTS_LIMIT ? this.#used++ : undefined);
    if (slot === undefined) return undefined;
    const length = Math.min(bytes.length, SLOT_BYTES - LENGTH_BYTES);
    this.#entry.writeUInt32LE(length);
    this.#entry.set(bytes.subarray(0, length), LENGTH_BYTES);
    try {
      writeSync(this.#fd, this.#entry, 0, LENGTH_BYTES + length, slot * SLOT_BYTES);
      return slot;
    } catch (error) {
      if (systemErrno(error) === undefined) throw error;
      this.#free.push(slot);
      return undefined;
    }
  }

  /** Uses again a slot that was freed on disk. */
  reuse(slot: number): void {
    this.#free.push(slot);
  }
}

const FREE = Buffer.alloc(LENGTH_BYTES);

/** The request of this slot was answered. */
export function freeSlot(fd: number, slot: number): void {
  writeSync(fd, FREE, 0, LENGTH_BYTES, slot * SLOT_BYTES);
}

/** FUSE_REQ_ID_STEP: numbers of requests are even (fs/fuse/fuse_dev_i.h). */
const UNIQUE_STEP = 2;

/** How far from the last number written down that of a request may be that was read, and no more than read. */
const LOST_RANGE = 4096;

/**
 * Numbers that a request may have which a former daemon had read, and died before it wrote it down. To be answered EINTR:
 * nothing of it was done, and nobody else will ever answer it. The kernel takes no answer for a number that waits for none.
 */
export function* lostNumbers({ unanswered, lastUnique }: InFlight): Generator<number> {
  const known = new Set(unanswered.map(({ bytes }) => Number(Buffer.from(bytes).readBigUInt64LE(UNIQUE_OFFSET))));
  const first = Math.max(UNIQUE_STEP, lastUnique - LOST_RANGE);
  for (let unique = first; unique <= lastUnique + LOST_RANGE; unique += UNIQUE_STEP) {
    if (!known.has(unique)) yield unique;
  }
}
