import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import type { RequestId, Writer } from './cursor.ts';
import type { Decoded } from './decode.ts';
import { encodeError, encodeReply } from './encode-reply.ts';
import { errnoName, errnoNumber, FsError, systemErrno, type Errno } from '../../src/errno.ts';
import type { RawIo } from '../../src/kernel/raw-io.ts';
import { traceError, traceReply, traceRequest } from './trace.ts';

const { EAGAIN, EINTR, EINVAL, ENODEV, ENOENT } = constants.errno;

/** Reading goes on after these: a request was withdrawn before it was read, or a signal came (fuse_dev_do_read). */
const READ_AGAIN: readonly number[] = [-ENOENT, -EINTR, -EAGAIN];

/** Writing an answer fails so when the request is not waited for any more, or the device is gone. */
const NOBODY_WAITS: readonly number[] = [-ENOENT, -ENODEV];

/** Waits for the next request and reads it into `buffer`; its length, or `undefined` when the device is gone. */
export function readRequest(io: RawIo, fd: number, buffer: Uint8Array): number | undefined {
  for (;;) {
    const length = io.read(fd, buffer);
    if (length >= 0) return length;
    if (length === -ENODEV) return undefined;
    if (!READ_AGAIN.includes(length)) throw new Error(`Cannot read from the device: ${errnoName(-length)}`);
  }
}

export interface ReplierOptions {
  readonly io: RawIo;
  readonly fd: number;
  readonly writer: Writer;
  readonly traceFd: number | undefined;
  /** Told of every error that is no `FsError`: a bug, answered EIO. */
  readonly onBug: (where: string, error: unknown) => void;
}

/** Gives each request its one reply: the only place where errors become errno numbers. */
export class Replier {
  readonly #options: ReplierOptions;

  constructor(options: ReplierOptions) {
    this.#options = options;
  }

  received(decoded: Decoded): void {
    if (this.#options.traceFd !== undefined) this.#trace(traceRequest(decoded));
  }

  answer(decoded: Decoded, answer: unknown): void {
    if (!decoded.op.reply) return;
    const { writer, traceFd } = this.#options;
    let length: number;
    try {
      length = encodeReply(writer, decoded, answer);
    } catch (error) {
      this.fail(decoded, error);
      return;
    }
    if (traceFd !== undefined) this.#trace(traceReply(decoded, answer));
    this.#write(length);
  }

  fail({ request, op }: Decoded, error: unknown): void {
    const errno = this.#errnoOf(op.name, error);
    if (op.reply) this.refuse(request, errno);
  }

  refuse(request: RequestId, errno: Errno): void {
    const { writer, traceFd } = this.#options;
    const length = encodeError(writer, request, errnoNumber(errno));
    if (traceFd !== undefined) this.#trace(traceError(request, errno));
    this.#write(length);
  }

  #errnoOf(where: string, error: unknown): Errno {
    if (error instanceof FsError) return error.errno;
    this.#options.onBug(where, error);
    return 'EIO';
  }

  #write(length: number): void {
    const { io, fd, writer } = this.#options;
    const result = io.write(fd, writer.buffer, length);
    if (result >= 0 || NOBODY_WAITS.includes(result)) return;
    this.#options.onBug(result === -EINVAL ? 'reply' : 'write', new Error(`the device says ${errnoName(-result)}`));
  }

  #trace(line: string): void {
    if (this.#options.traceFd === undefined) return;
    try {
      writeSync(this.#options.traceFd, `${line}\n`);
    } catch (error) {
      if (systemErrno(error) === undefined) throw error;
    }
  }
}
