import type { RequestId, Writer } from './cursor.ts';
import type { Decoded } from './decode.ts';

/**
 * The reply that carries `answer`, what `op.serve` gave. The reply is the first bytes of `writer.buffer`; their number is
 * the result. Throws FsError if the answer fails while it is written; the caller then sends that error instead.
 */
export function encodeReply(writer: Writer, { request, op, args }: Decoded, answer: unknown): number {
  writer.start();
  op.encode(writer, answer, args);
  return writer.finish(request, 0);
}

/** The reply that is an error; `errno` is positive and below 512 (`fuse_dev_do_write`). */
export function encodeError(writer: Writer, request: RequestId, errno: number): number {
  writer.start();
  return writer.finish(request, errno);
}
