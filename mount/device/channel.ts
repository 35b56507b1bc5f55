import { readSync, writeSync } from 'node:fs';
import { systemErrno } from '../../src/errno.ts';
import type { RequestId, Writer } from './cursor.ts';
import type { Decoded } from './decode.ts';
import { encodeError, encodeReply } from './encode-reply.ts';
import { errnoNumber, FsError, type Errno } from '../../src/errno.ts';
import { traceError, traceReply, traceRequest } from './trace.ts';

/** Reading goes on after these: a request was withdrawn before it was read, or a signal came (fuse_dev_do_read). */
const READ_AGAIN: readonly unknown[] = ['ENOENT', 'EINTR', 'EAGAIN'];

/** Writing an answer fails so when the request is not waited for any more, or the device is gone. */
const NOBODY_WAITS: readonly unknown[] = ['ENOENT', 'ENODEV', 'EINVAL'];

/** Waits for the next request and reads it into `buffer`; its length, or `undefined` when the device is gone. */
export function readRequest(fd: number, buffer: Uint8Array): number | undefined {
  for (;;) {
    try {
      return readSync(fd, buffer);
    } catch (error) {
      const errno = systemErrno(error);
      if (errno === 'ENODEV') return undefined;
      if (!READ_AGAIN.includes(errno)) throw error;
    }
  }
}

export interface ReplierOptions {
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
    const { fd, writer } = this.#options;
    try {
      writeSync(fd, writer.buffer, 0, length);
    } catch (error) {
      if (!NOBODY_WAITS.includes(systemErrno(error))) this.#options.onBug('write', error);
      else if (systemErrno(error) === 'EINVAL') this.#options.onBug('reply', error);
    }
  }

  /** A trace that cannot be written is not worth a request. */
  #trace(line: string): void {
    if (this.#options.traceFd === undefined) return;
    try {
      writeSync(this.#options.traceFd, `${line}\n`);
    } catch (error) {
      if (systemErrno(error) === undefined) throw error;
    }
  }
}
