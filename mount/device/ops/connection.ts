import { DEFER } from '../../../src/tree/filesystem.ts';
import { decodeInit, encodeInit, negotiate, type InitAnswer, type InitArgs } from '../negotiate.ts';
import { operation } from './operation.ts';

/** Rows about the connection itself, which no file system is asked about. */

const INIT = operation<InitArgs, InitAnswer>('INIT', {
  decode: decodeInit,
  serve: (_target, _request, args) => negotiate(args),
  encode: encodeInit,
  showArgs: ({ major, minor }) => `${major}.${minor}`,
  showAnswer: ({ negotiated }) => negotiated?.flags.join(' ') ?? 'major only',
});

/** Sent at umount of block device mounts only; answered all the same. */
const DESTROY = operation<undefined, undefined>('DESTROY', {
  decode: () => undefined,
  serve: () => undefined,
});

export interface InterruptArgs {
  /** `unique` of the request whose caller got a signal; it is still to be answered, with EINTR. */
  readonly target: number;
}

const INTERRUPT = operation<InterruptArgs, undefined>('INTERRUPT', {
  reply: false,
  decode: (reader) => ({ target: reader.requestId().unique }),
  /** Whoever holds the unanswered requests knows what to do. */
  serve: () => DEFER,
  showArgs: ({ target }) => String(target),
});

/** Node ids are computed, so there is nothing to forget. */
const FORGET = operation<undefined, undefined>('FORGET', {
  reply: false,
  decode: () => undefined,
  serve: () => undefined,
});

const BATCH_FORGET = operation<undefined, undefined>('BATCH_FORGET', {
  reply: false,
  decode: () => undefined,
  serve: () => undefined,
});

export const CONNECTION_OPERATIONS = [INIT, DESTROY, INTERRUPT, FORGET, BATCH_FORGET];
