import type { Reader, RequestId } from './cursor.ts';
import { decodeHeader, type DeviceRequest } from './header.ts';
import type { Operation } from './ops/operation.ts';
import { operationFor, undecodable } from './ops/table.ts';

/** Where `unique` is in a header (`fuse_in_header`). */
const ID_AT_BYTES = 8;
const ID_END_BYTES = 16;

/** A request as read from the device. Serve it with `op.serve(target, request, args)`. */
export interface Decoded {
  readonly request: DeviceRequest;
  readonly op: Operation;
  /** What `op` makes of its arguments; bytes in it are the reader's, valid until the next request is read there. */
  readonly args: unknown;
}

/**
 * The request of `length` bytes in `reader`'s buffer. Where the arguments are not what the opcode says, `op` answers
 * EIO, as any row answers an error. Throws MalformedRequest if not even the header is there.
 */
export function decodeRequest(reader: Reader, length: number): Decoded {
  const request = decodeHeader(reader, length);
  const op = operationFor(request.opcode);
  try {
    return { request, op, args: op.decode(reader, request) };
  } catch (error) {
    // Any other error is a bug, and told as such when it is answered.
    const cause = error instanceof Error ? error : new Error(String(error));
    return { request, op: undecodable(op, cause), args: undefined };
  }
}

/** Whom to answer where {@link decodeRequest} threw; `undefined` where that was not read either. */
export function askerIn(reader: Reader, length: number): RequestId | undefined {
  if (length < ID_END_BYTES) return undefined;
  reader.start(length);
  reader.skip(ID_AT_BYTES);
  try {
    return reader.requestId();
  } catch {
    return undefined;
  }
}
