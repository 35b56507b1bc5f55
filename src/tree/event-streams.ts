import type { Events, Reader } from '../container/events.ts';
import { FsError } from '../errno.ts';
import { ROOT_SERIAL, type Serial } from '../ids.ts';
import { Shares, type Account } from '../shares.ts';
import { POLLIN, POLLRDNORM } from './filesystem.ts';

/** Bytes a reader may still read of what it was given before; older ones are gone. */
const WINDOW_BYTES = 1 << 18;

/** Bytes kept for who does not read them; beyond it the oldest are gone. */
const UNREAD_LIMIT_BYTES = 1 << 20;

/** Open `.events` of all users, and of root besides; more are refused with ENFILE. */
const STREAMS_LIMIT = 65_536;

interface Stream {
  readonly serial: Serial;
  readonly reader: Reader;
  /** Whose it is. */
  readonly account: Account;
  /** Offset of the first byte in `text`. */
  base: number;
  text: Buffer;
  /** Number of the newest event in `text`. */
  sequence: number;
  /** Where the furthest read ended. */
  position: number;
  /** Opened with a former daemon, and not read yet with this one. */
  adopted: boolean;
  /** What to wake when there is more. */
  readonly wakes: Set<number>;
}

/** Pollers of one stream; the oldest is woken, to ask again, when there are more. */
const WAKES_LIMIT = 64;

/**
 * Readers of `.events`. To a plain reader it is a file that ends where the newest event ends; to a poller it becomes
 * readable with the next event.
 */
export class EventStreams {
  readonly #events: Events;
  readonly #streams = new Map<number, Stream>();
  readonly #open: Shares;
  readonly #accountOf: (uid: number) => Account;
  readonly #onWake: (wake: number) => void;

  /** `perUid`: how many one user but root may have open. */
  constructor(
    events: Events,
    onWake: (wake: number) => void,
    perUid: number,
    accountOf: (uid: number) => Account = (uid) => (uid === 0 ? undefined : uid),
  ) {
    this.#events = events;
    this.#open = new Shares({ each: perUid, all: STREAMS_LIMIT });
    this.#accountOf = accountOf;
    this.#onWake = onWake;
    events.onEvent((serials) => {
      this.#wake(serials);
    });
  }

  /** Bytes a reader that opens now would get. */
  size(serial: Serial, reader: Reader): number {
    return Buffer.byteLength(this.#events.textSince(serial, 0, reader));
  }

  /** Throws ENFILE, and EDQUOT for too many of one user. */
  open(handle: number, serial: Serial, reader: Reader): void {
    const { uid } = reader;
    const account = this.#accountOf(uid);
    switch (this.#open.beyond(account)) {
      case 'share': {
        const its = this.#open.of(account);
        throw new FsError('EDQUOT', `Cannot open .events: uid ${uid} has ${its} open already; close some`);
      }
      case 'all':
        throw new FsError('ENFILE', `${STREAMS_LIMIT} event streams are open already; close some`);
      case undefined:
    }
    this.#open.take(account);
    const news = { base: 0, text: Buffer.alloc(0), sequence: 0, position: 0, adopted: false, wakes: new Set<number>() };
    this.#streams.set(handle, { serial, reader, account, ...news });
  }

  /** Never waits. A handle of a former daemon goes on where it was: the events' file outlives daemons. */
  read(handle: number, serial: Serial, reader: Reader, offset: number, size: number): Uint8Array {
    const stream = this.#stream(handle, serial, reader);
    this.#refresh(stream);
    if (stream.adopted) this.#resume(stream, offset);
    const start = Math.max(0, offset - stream.base);
    const chunk = stream.text.subarray(start, start + size);
    stream.position = Math.max(stream.position, offset + chunk.length);
    return chunk;
  }

  poll(handle: number, serial: Serial, reader: Reader, wake: number | undefined): number {
    const stream = this.#stream(handle, serial, reader);
    this.#refresh(stream);
    if (stream.base + stream.text.length > stream.position) return POLLIN | POLLRDNORM;
    if (wake !== undefined) this.#await(stream, wake);
    return 0;
  }

  release(handle: number): boolean {
    const stream = this.#streams.get(handle);
    if (stream) this.#open.give(stream.account);
    return this.#streams.delete(handle);
  }

  /** One that was opened with a former daemon is, from here on, that of who reads it first. */
  #stream(handle: number, serial: Serial, reader: Reader): Stream {
    const known = this.#streams.get(handle);
    if (known) return known;
    this.open(handle, serial, reader);
    const stream = this.#stream(handle, serial, reader);
    stream.adopted = true;
    return stream;
  }

  /** Who read more from the former daemon than is kept of it goes on with the first event of this one. */
  #resume(stream: Stream, offset: number): void {
    stream.adopted = false;
    if (offset <= stream.text.length) return;
    const own = Buffer.byteLength(this.#events.textSince(stream.serial, this.#events.inherited, stream.reader));
    stream.base = offset - (stream.text.length - own);
  }

  #refresh(stream: Stream): void {
    const { sequence } = this.#events;
    if (stream.sequence === sequence) return;
    const more = Buffer.from(this.#events.textSince(stream.serial, stream.sequence, stream.reader));
    const text = Buffer.concat([stream.text, more]);
    const read = Math.min(text.length - WINDOW_BYTES, stream.position - stream.base);
    const surplus = Math.max(0, read, text.length - UNREAD_LIMIT_BYTES);
    stream.base += surplus;
    stream.text = text.subarray(surplus);
    stream.sequence = sequence;
  }

  #await(stream: Stream, wake: number): void {
    stream.wakes.add(wake);
    if (stream.wakes.size <= WAKES_LIMIT) return;
    for (const oldest of stream.wakes) {
      stream.wakes.delete(oldest);
      this.#onWake(oldest);
      return;
    }
  }

  #wake(serials: readonly Serial[]): void {
    for (const stream of this.#streams.values()) {
      if (stream.wakes.size === 0) continue;
      if (stream.serial !== ROOT_SERIAL && !serials.includes(stream.serial)) continue;
      for (const wake of stream.wakes) this.#onWake(wake);
      stream.wakes.clear();
    }
  }
}
