import { FsError } from '../../../src/errno.ts';
import { encodeNothing } from '../encode.ts';
import { ATTRIBUTE_OPERATIONS } from './attributes.ts';
import { CONNECTION_OPERATIONS } from './connection.ts';
import { FILE_OPERATIONS } from './files.ts';
import { NAME_OPERATIONS } from './names.ts';
import type { Operation } from './operation.ts';
import { REFUSED_OPERATIONS } from './refused.ts';

/** Every opcode of the protocol, once. */
export const OPERATIONS: readonly Operation[] = [
  ...NAME_OPERATIONS,
  ...ATTRIBUTE_OPERATIONS,
  ...FILE_OPERATIONS,
  ...CONNECTION_OPERATIONS,
  ...REFUSED_OPERATIONS,
];

/** Indexed by opcode. */
const BY_OPCODE: (Operation | undefined)[] = [];
for (const operation of OPERATIONS) BY_OPCODE[operation.opcode] = operation;

/** The row of an opcode; of one from a newer protocol, a row that answers ENOSYS. */
export function operationFor(opcode: number): Operation {
  return BY_OPCODE[opcode] ?? failing(`OPCODE-${opcode}`, opcode, true, new FsError('ENOSYS', `no opcode ${opcode}`));
}

/** A row that stands for `operation` where its arguments could not be decoded: it answers with that error. */
export function undecodable(operation: Operation, error: Error): Operation {
  return failing(operation.name, operation.opcode, operation.reply, error);
}

function failing(name: string, opcode: number, reply: boolean, error: Error): Operation {
  return {
    name,
    opcode,
    reply,
    decode: () => undefined,
    serve: () => {
      throw error;
    },
    encode: encodeNothing,
    showArgs: () => error.message,
    showAnswer: () => '',
  };
}
