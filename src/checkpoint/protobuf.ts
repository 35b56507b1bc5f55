import { FsError } from '../errno.ts';

/**
 * CRIU's images: two magic numbers of 4 bytes, then messages, each with its length (u32le) before it. A message is
 * protobuf's: only what is needed to find a field and to leave all others as they are.
 */

const MAGIC_BYTES = 8;
const LENGTH_BYTES = 4;

/** Wire types (protobuf.dev, "Encoding"). */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export interface Field {
  readonly number: number;
  readonly wire: number;
  /** Of a varint. */
  readonly value: number;
  /** What a length-delimited field holds. */
  readonly bytes: Buffer;
  /** The whole field as it was read. */
  readonly raw: Buffer;
}

/** The messages of an image; EIO if it is torn. */
export function messagesOf(image: Buffer): { readonly magic: Buffer; readonly messages: Buffer[] } {
  const messages: Buffer[] = [];
  let at = MAGIC_BYTES;
  while (at < image.length) {
    if (at + LENGTH_BYTES > image.length) throw torn();
    const length = image.readUInt32LE(at);
    at += LENGTH_BYTES;
    if (at + length > image.length) throw torn();
    messages.push(image.subarray(at, at + length));
    at += length;
  }
  return { magic: image.subarray(0, MAGIC_BYTES), messages };
}

export function imageOf(magic: Buffer, messages: readonly Buffer[]): Buffer {
  return Buffer.concat([
    magic,
    ...messages.flatMap((message) => {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(message.length);
      return [length, message];
    }),
  ]);
}

/** The fields of a message, in its order. */
export function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = message[at++];
      if (byte === undefined) throw torn();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
  };
  while (at < message.length) {
    const begin = at;
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    let value = 0;
    let bytes: Buffer = Buffer.alloc(0);
    if (wire === VARINT) value = varint();
    else {
      const length = wire === BYTES ? varint() : wire === FIXED64 ? 8 : wire === FIXED32 ? 4 : Number.NaN;
      if (!(at + length <= message.length)) throw torn();
      bytes = message.subarray(at, at + length);
      at += length;
    }
    fields.push({ number, wire, value, bytes, raw: message.subarray(begin, at) });
  }
  return fields;
}

/** A length-delimited field. */
export function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varintOf(number * 8 + BYTES), varintOf(bytes.length), bytes]);
}

/** A field of a number. */
export function varintField(number: number, value: number): Buffer {
  return Buffer.concat([varintOf(number * 8 + VARINT), varintOf(value)]);
}

function varintOf(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 0x80)) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 0x80) | 0x80);
  }
}

function torn(): FsError {
  return new FsError('EIO', 'an image of CRIU ends in the middle of something');
}
