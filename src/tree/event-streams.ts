import type { Events, Reader } from '../container/events.ts';
import { FsError } from '../errno.ts';
import { ROOT_SERIAL, type Serial } from '../ids.ts';
import { Shares, type Account } from '../shares.ts';
import { POLLIN, POLLRDNORM } from './filesystem.ts';

/** Bytes a reader may still read of what it was given before; older ones are gone. */
const WINDOW_BYTES = 1 << 18;

/** Bytes kept for who does not read them; beyond it the oldest are gone. */
const UNREAD_LIMIT_BYTES = 1 << 20;

/** Bytes kept for all streams together; beyond it those that were opened first lose what they have. */
const STREAMS_LIMIT_BYTES = 1 << 26;

/** Open `.events` of all users, and of root besides; more are refused with ENFILE. */
const STREAMS_LIMIT = 65_536;

const NOTHING = Buffer.alloc(0);

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
  /** Where it first came to the end; absent before. */
  firstEnd: number | undefined;
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
  readonly #limitBytes: number;
  /** Of the texts of all streams. */
  #bytes = 0;

  /** `perUid`: how many one user but root may have open. */
  constructor(
    events: Events,
    onWake: (wake: number) => void,
    perUid: number,
    accountOf: (uid: number) => Account = (uid) => (uid === 0 ? undefined : uid),
    limitBytes = STREAMS_LIMIT_BYTES,
  ) {
    this.#limitBytes = limitBytes;
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
    const news = {
      base: 0,
      text: NOTHING,
      sequence: 0,
      position: 0,
      adopted: false,
      firstEnd: undefined,
      wakes: new Set<number>(),
    };
    this.#streams.set(handle, { serial, reader, account, ...news });
  }

  /** Never waits. `undefined` for a handle that was not opened here. */
  readOpen(handle: number, offset: number, size: number): Uint8Array | undefined {
    const stream = this.#streams.get(handle);
    return stream && this.#read(handle, stream, offset, size);
  }

  /** A handle of a former daemon goes on where it was: the events' file outlives daemons. */
  read(handle: number, serial: Serial, reader: Reader, offset: number, size: number): Uint8Array {
    return this.#read(handle, this.#stream(handle, serial, reader), offset, size);
  }

  pollOpen(handle: number, wake: number | undefined): number | undefined {
    const stream = this.#streams.get(handle);
    return stream && this.#poll(handle, stream, wake);
  }

  poll(handle: number, serial: Serial, reader: Reader, wake: number | undefined): number {
    return this.#poll(handle, this.#stream(handle, serial, reader), wake);
  }

  #read(handle: number, stream: Stream, offset: number, size: number): Uint8Array {
    this.#refresh(stream);
    if (stream.adopted) this.#resume(handle, stream, offset);
    const start = Math.max(0, offset - stream.base);
    const chunk = stream.text.subarray(start, start + size);
    stream.position = Math.max(stream.position, offset + chunk.length);
    // Who comes to the end once may have read the file; who comes again follows it.
    if (chunk.length === 0 && size > 0) {
      stream.firstEnd ??= stream.position;
      if (stream.position > stream.firstEnd) this.#mark(handle, stream);
    }
    return chunk;
  }

  #poll(handle: number, stream: Stream, wake: number | undefined): number {
    this.#refresh(stream);
    if (stream.base + stream.text.length > stream.position) return POLLIN | POLLRDNORM;
    if (wake !== undefined) {
      this.#mark(handle, stream);
      this.#await(stream, wake);
    }
    return 0;
  }

  /** All is read: written down for the next daemon. */
  #mark(handle: number, { position, sequence, base, text }: Stream): void {
    if (position === base + text.length) this.#events.marks.set(handle, { offset: position, sequence });
  }

  release(handle: number): boolean {
    const stream = this.#streams.get(handle);
    if (stream) {
      this.#keep(stream, NOTHING);
      this.#open.give(stream.account);
      this.#events.marks.delete(handle);
    }
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

  /**
   * Who followed goes on behind his mark. Of who only read, and more than is kept of it, it is not known how far he came: he
   * goes on with the first event of this daemon.
   */
  #resume(handle: number, stream: Stream, offset: number): void {
    stream.adopted = false;
    const mark = this.#events.marks.of(handle);
    if (mark && offset >= mark.offset) {
      this.#keep(stream, Buffer.from(this.#events.textSince(stream.serial, mark.sequence, stream.reader)));
      stream.base = mark.offset;
      stream.firstEnd = mark.offset;
      return;
    }
    if (offset <= stream.text.length) return;
    const own = Buffer.byteLength(this.#events.textSince(stream.serial, this.#events.inherited, stream.reader));
    stream.base = offset - (stream.text.length - own);
  }

  #refresh(stream: Stream): void {
    const { sequence } = this.#events;
    if (stream.sequence === sequence) return;
    const more = Buffer.from(this.#events.textSince(stream.serial, stream.sequence, stream.reader));
    const text = Buffer.concat([stream.text, more]);
    this.#keep(stream, text);
    const read = Math.min(text.length - WINDOW_BYTES, stream.position - stream.base);
    this.#lose(stream, Math.max(0, read, text.length - UNREAD_LIMIT_BYTES));
    stream.sequence = sequence;
    this.#makeRoom(stream);
  }

  /** The oldest bytes go. Who did not read them goes on where he is, as if they had not been: his offset does not jump. */
  #lose(stream: Stream, bytes: number): void {
    stream.base += Math.max(0, Math.min(bytes, stream.position - stream.base));
    this.#keep(stream, stream.text.subarray(bytes));
  }

  #keep(stream: Stream, text: Buffer): void {
    this.#bytes += text.length - stream.text.length;
    stream.text = text;
  }

  /** Others lose what they have not read, one after the other: each is then the last to lose anything again. */
  #makeRoom(reading: Stream): void {
    let untried = this.#streams.size;
    for (const [handle, stream] of this.#streams) {
      if (this.#bytes <= this.#limitBytes || untried-- === 0) return;
      if (stream === reading) continue;
      this.#lose(stream, stream.text.length);
      this.#streams.delete(handle);
      this.#streams.set(handle, stream);
    }
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
