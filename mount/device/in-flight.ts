import { readFileSync, unlinkSync, writeSync } from 'node:fs';

/** A request's bytes that are kept; what a control entry takes in one write is less, and more is refused anyway. */
const SLOT_BYTES = 8192;
const LENGTH_BYTES = 4;

/** Unanswered requests that are written down; the kernel sends fewer at once (threads that wait, `max_background`). */
const SLOTS_LIMIT = 65_536;

/**
 * Requests that were read and not answered yet, in a file: for kernels that cannot send them again to the next daemon
 * (FUSE_NOTIFY_RESEND, Linux 6.9). Each has a slot `length, bytes`; a length of 0 is a free slot. The serving thread takes
 * slots; whoever writes the reply frees the slot afterwards.
 */
export class InFlight {
  readonly #fd: number;
  readonly #free: number[] = [];
  readonly #entry = Buffer.alloc(SLOT_BYTES);
  #used = 0;

  /** `fd` is an empty file, open for writing. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The slot taken, or `undefined` when all are: then this request is lost if the daemon dies. */
  keep(bytes: Uint8Array): number | undefined {
    const slot = this.#free.pop() ?? (this.#used < SLOTS_LIMIT ? this.#used++ : undefined);
    if (slot === undefined) return undefined;
    const length = Math.min(bytes.length, SLOT_BYTES - LENGTH_BYTES);
    this.#entry.writeUInt32LE(length);
    this.#entry.set(bytes.subarray(0, length), LENGTH_BYTES);
    writeSync(this.#fd, this.#entry, 0, LENGTH_BYTES + length, slot * SLOT_BYTES);
    return slot;
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

/** What a former daemon left unanswered, in no order; the file is removed. Nothing if there is none. */
export function takeUnanswered(file: string): Uint8Array[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
    unlinkSync(file);
  } catch {
    return [];
  }
  const found: Uint8Array[] = [];
  for (let at = 0; at + LENGTH_BYTES <= bytes.length; at += SLOT_BYTES) {
    const length = bytes.readUInt32LE(at);
    const end = at + LENGTH_BYTES + length;
    if (length > 0 && length <= SLOT_BYTES - LENGTH_BYTES && end <= bytes.length) {
      found.push(Uint8Array.prototype.slice.call(bytes, at + LENGTH_BYTES, end));
    }
  }
  return found;
}
