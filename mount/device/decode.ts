import { MalformedRequest, type Reader } from './cursor.ts';
import { decodeHeader, type DeviceRequest } from './header.ts';
import type { Operation } from './ops/operation.ts';
import { operationFor, undecodable } from './ops/table.ts';

/** A request as read from the device. Serve it with `op.serve(target, request, args)`. */
export interface Decoded {
  readonly request: DeviceRequest;
  readonly op: Operation;
  /** What `op` makes of its arguments; bytes in it are the reader's, valid until the next request is read there. */
  readonly args: unknown;
}

/**
 * The request of `length` bytes in `reader`'s buffer. Where the arguments are not what the opcode says, `op` answers
 * EIO, as any row answers an error. Throws MalformedRequest if not even the header is there: nothing can be answered.
 */
export function decodeRequest(reader: Reader, length: number): Decoded {
  const request = decodeHeader(reader, length);
  const op = operationFor(request.opcode);
  try {
    return { request, op, args: op.decode(reader, request) };
  } catch (error) {
    if (error instanceof MalformedRequest) return { request, op: undecodable(op, error), args: undefined };
    throw error;
  }
}
