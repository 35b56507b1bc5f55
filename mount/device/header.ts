import type { Pid } from '../../src/ids.ts';
import type { Request } from '../../src/tree/filesystem.ts';
import type { NodeId } from '../../src/tree/node-id.ts';
import type { Reader } from './cursor.ts';

/** `fuse_in_header.total_extlen` counts these; no extension is negotiated, so what comes is passed over. */
const EXTENSION_UNIT_BYTES = 8;

/** `fuse_in_header`: who asks, for what, about which node. It is the {@link Request} the tree is given. */
export interface DeviceRequest extends Request {
  readonly length: number;
  readonly opcode: number;
  readonly nodeid: NodeId;
}

/**
 * The first 40 bytes of a request of `length` bytes in `reader`'s buffer; the reader then stands at the arguments and
 * ends with them. Throws MalformedRequest when there is no header: such a request cannot be answered at all.
 *
 * `unique` is without the RESEND bit, so it is the same when the request is sent again; a reply carries the bit again
 * (`fuse_request_find` compares all 64 bits), which `Writer.finish` sees to.
 */
export function decodeHeader(reader: Reader, length: number): DeviceRequest {
  reader.start(length);
  const declared = reader.u32();
  const opcode = reader.u32();
  const { unique, resent } = reader.requestId();
  const nodeid = reader.u64() as NodeId;
  const uid = reader.u32();
  const gid = reader.u32();
  const pid = reader.u32() as Pid;
  const extensions = reader.u16() * EXTENSION_UNIT_BYTES;
  reader.skip(2);
  reader.limit(declared - extensions);
  return { length: declared, opcode, nodeid, unique, resent, caller: { pid, uid, gid } };
}
