import { endianness } from 'node:os';
import { FsError } from '../../src/errno.ts';
import { NAME_MAX_BYTES } from '../../src/ids.ts';
import { utf8Length } from '../../src/utf8.ts';
import { OUT_HEADER_BYTES, REPLY_BUFFER_BYTES } from './abi.ts';

/** The protocol has the machine's own byte order. */
const LITTLE_ENDIAN = endianness() === 'LE';

const TWO_32 = 2 ** 32;

/** Top bit of the upper half of `unique`: FUSE_UNIQUE_RESEND, bit 63 (linux/fuse.h). */
const RESEND_BIT = 0x8000_0000;

/** How a reply names its request: one that was sent again is only known by its number with the RESEND bit. */
export interface RequestId {
  /** Without the RESEND bit. */
  readonly unique: number;
  readonly resent: boolean;
}

/** A request that cannot be what its opcode says. The only errors a decoder throws are of this class. */
export class MalformedRequest extends FsError {
  constructor(message: string) {
    super('EIO', message);
  }
}

/** A request that ends before a field it must have. */
export class ShortRequest extends MalformedRequest {}

/**
 * A bounded cursor over one request: throws {@link ShortRequest} instead of reading past its end. One reader serves all
 * requests that are read into its buffer.
 */
export class Reader {
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  #position = 0;
  #end = 0;

  /** `bytes` begins at a multiple of four, as a buffer of its own does. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#words = wordsOf(bytes);
  }

  /** Begins at the buffer's first byte; nothing from `length` on is read. */
  start(length: number): void {
    this.#position = 0;
    this.#end = Math.min(length, this.#bytes.length);
  }

  /** Takes the end further in, to `length` bytes from the buffer's first. Further out: ShortRequest. */
  limit(length: number): void {
    if (length > this.#end) throw new ShortRequest(`request of ${length} bytes has only ${this.#end}`);
    if (length < this.#position) throw new MalformedRequest(`request of ${length} bytes ends in its own header`);
    this.#end = length;
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  skip(count: number): void {
    this.#take(count);
  }

  u16(): number {
    const at = this.#take(2);
    return LITTLE_ENDIAN ? this.#bytes.readUInt16LE(at) : this.#bytes.readUInt16BE(at);
  }

  u32(): number {
    return this.#word(this.#take(4));
  }

  /** A number that must be exact: an id or a handle. Over 2^53 - 1 it is MalformedRequest: nothing here gives such. */
  u64(): number {
    const value = this.#wide();
    if (value > Number.MAX_SAFE_INTEGER) throw new MalformedRequest(`number too large at byte ${this.#position - 8}`);
    return value;
  }

  /** A number the caller of the system call chose: an offset or a size, the largest exact number if it is larger. */
  u64Clamped(): number {
    return Math.min(this.#wide(), Number.MAX_SAFE_INTEGER);
  }

  /** Seconds of a time, may be before 1970; clamped to the exact numbers, as a file system of narrower times does. */
  i64Clamped(): number {
    const at = this.#take(8);
    const low = this.#word(LITTLE_ENDIAN ? at : at + 4);
    const value = (this.#word(LITTLE_ENDIAN ? at + 4 : at) | 0) * TWO_32 + low;
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER));
  }

  /** A request's number: bit 63 says that the kernel sends it again (FUSE_UNIQUE_RESEND), the rest is its name. */
  requestId(): RequestId {
    const at = this.#take(8);
    const low = this.#word(LITTLE_ENDIAN ? at : at + 4);
    const high = this.#word(LITTLE_ENDIAN ? at + 4 : at);
    const resent = high >= RESEND_BIT;
    const unique = (resent ? high - RESEND_BIT : high) * TWO_32 + low;
    if (unique > Number.MAX_SAFE_INTEGER) throw new MalformedRequest(`request number too large at byte ${at}`);
    return { unique, resent };
  }

  /** The next `count` bytes, shared with the buffer: valid until the next request is read into it. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /**
   * Text up to a NUL, which is skipped. What is not UTF-8 becomes U+FFFD, which no name in the tree has; a name does not
   * become too long by that.
   */
  cstring(): string {
    const bytes = this.#bytes;
    const start = this.#position;
    let ascii = true;
    for (let at = start; at < this.#end; at++) {
      const byte = bytes[at] as number;
      if (byte === 0) {
        this.#position = at + 1;
        return ascii ? bytes.toString('latin1', start, at) : nonAscii(bytes.toString('utf8', start, at), at - start);
      }
      if (byte > 0x7f) ascii = false;
    }
    throw new ShortRequest(`text at byte ${start} has no end in a request of ${this.#end} bytes`);
  }

  #take(count: number): number {
    const at = this.#position;
    if (at + count > this.#end) throw new ShortRequest(`request ends at byte ${this.#end}, needs ${at + count}`);
    this.#position = at + count;
    return at;
  }

  #wide(): number {
    const at = this.#take(8);
    const low = this.#word(LITTLE_ENDIAN ? at : at + 4);
    return this.#word(LITTLE_ENDIAN ? at + 4 : at) * TWO_32 + low;
  }

  #word(at: number): number {
    return (at & 3) === 0 ? (this.#words[at >> 2] as number) : unaligned(this.#bytes, at);
  }
}

/** The protocol's structures are aligned; one that follows a text may not be. */
function unaligned(bytes: Buffer, at: number): number {
  return LITTLE_ENDIAN ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}

/** Words in the machine's own order: an array of them is quicker than a DataView or than what Buffer has. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
}

/**
 * Builds one reply after another in the same buffer: `start`, the fields, `finish`; the reply then is
 * `buffer.subarray(0, finish(…))`. A field beyond the buffer throws RangeError: a bug, never a request's fault.
 */
export class Writer {
  readonly buffer: Buffer;
  readonly #words: Uint32Array;
  #position = OUT_HEADER_BYTES;

  constructor(capacity: number = REPLY_BUFFER_BYTES) {
    this.buffer = Buffer.alloc(capacity);
    this.#words = wordsOf(this.buffer);
  }

  /** Leaves room for the header, which `finish` writes. */
  start(): void {
    this.#position = OUT_HEADER_BYTES;
  }

  /** Offset of the next field from the reply's first byte. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.buffer.length - this.#position;
  }

  u16(value: number): void {
    if (LITTLE_ENDIAN) this.buffer.writeUInt16LE(value, this.#position);
    else this.buffer.writeUInt16BE(value, this.#position);
    this.#position += 2;
  }

  u32(value: number): void {
    this.#word(this.#position, value);
    this.#position += 4;
  }

  /** An integer of up to 53 bits, negative ones as two's complement. */
  u64(value: number): void {
    this.#wide(this.#position, Math.floor(value / TWO_32), value);
    this.#position += 8;
  }

  zeros(count: number): void {
    this.buffer.fill(0, this.#position, this.#position + count);
    this.#position += count;
  }

  bytes(data: Uint8Array): void {
    this.buffer.set(data, this.#position);
    this.#position += data.length;
  }

  /** `text` as UTF-8, without a NUL. */
  text(text: string): void {
    const bytes = utf8Length(text);
    if (bytes > this.remaining) throw new RangeError(`no room for ${bytes} bytes of text`);
    if (bytes === text.length) {
      for (let index = 0; index < bytes; index++) this.buffer[this.#position + index] = text.charCodeAt(index);
    } else {
      this.buffer.write(text, this.#position, bytes, 'utf8');
    }
    this.#position += bytes;
  }

  /** Writes `fuse_out_header`; `error` is a positive errno number or 0. Gives the length of the whole reply. */
  finish(id: RequestId, error: number): number {
    this.#word(0, this.#position);
    this.#word(4, -error);
    const high = Math.floor(id.unique / TWO_32);
    this.#wide(8, id.resent ? high + RESEND_BIT : high, id.unique);
    return this.#position;
  }

  #wide(at: number, high: number, low: number): void {
    this.#word(LITTLE_ENDIAN ? at : at + 4, low);
    this.#word(LITTLE_ENDIAN ? at + 4 : at, high);
  }

  /** Every field of a reply is at a multiple of four (linux/fuse.h). */
  #word(at: number, value: number): void {
    const index = at >> 2;
    if ((at & 3) !== 0 || index >= this.#words.length) throw new RangeError(`no word at byte ${at} of a reply`);
    this.#words[index] = value;
  }
}

/** `text`, or where it stands for `length` bytes that are not UTF-8 and make a name, one as long as that. */
function nonAscii(text: string, length: number): string {
  if (length > NAME_MAX_BYTES || Buffer.byteLength(text) <= NAME_MAX_BYTES) return text;
  return '\u{FFFD}'.padEnd(length - 2, '?');
}
