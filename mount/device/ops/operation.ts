import { FsError, type Errno } from '../../../src/errno.ts';
import type { Filesystem, Instead } from '../../../src/tree/filesystem.ts';
import { OPCODES, type OpcodeName } from '../abi.ts';
import type { Reader, Writer } from '../cursor.ts';
import { encodeNothing } from '../encode.ts';
import type { DeviceRequest } from '../header.ts';

/** A `Filesystem` or a `FastFilesystem`: a method that is absent, or answers DEFER, leaves the request to another. */
type Target = {
  readonly [Method in keyof Filesystem]?: (
    ...args: Parameters<Filesystem[Method]>
  ) => ReturnType<Filesystem[Method]> | Instead;
};

/** Everything there is to know about one opcode. Methods, so that rows of different arguments fit in one table. */
export interface Operation<Args = unknown, Result = unknown> {
  readonly opcode: number;
  readonly name: string;
  /** Whether the kernel waits for a reply; else it would take one for a fault (EINVAL, ENOENT). */
  readonly reply: boolean;
  /** The reader stands behind the header. Throws MalformedRequest. Bytes in the result are shared with the reader's. */
  decode(reader: Reader, request: DeviceRequest): Args;
  /** The target's answer. Throws FsError. */
  serve(target: Target, request: DeviceRequest, args: Args): Result | Promise<Result> | Instead;
  /** The reply's body. May throw FsError where an answer is produced while it is written (listings). */
  encode(writer: Writer, answer: Result, args: Args): void;
  /** Arguments and answer as the trace shows them, '' for nothing to say. */
  showArgs(args: Args): string;
  showAnswer(answer: Result): string;
}

type Given<Args, Result> = Pick<Operation<Args, Result>, 'decode' | 'serve'> &
  Partial<Pick<Operation<Args, Result>, 'reply' | 'encode' | 'showArgs' | 'showAnswer'>>;

/** One row; what is not given: a reply without a body, nothing to show. */
export function operation<Args, Result>(name: OpcodeName, given: Given<Args, Result>): Operation<Args, Result> {
  return {
    opcode: OPCODES[name],
    name,
    reply: true,
    encode: encodeNothing,
    showArgs: () => '',
    showAnswer: () => '',
    ...given,
  };
}

/** A row whose answer is always the same error, whatever the arguments. */
export function refusal(name: OpcodeName, errno: Errno): Operation<undefined, undefined> {
  return operation(name, {
    decode: () => undefined,
    serve: () => {
      throw new FsError(errno, `${name} is not supported`);
    },
  });
}
