/** Conversations one can read, replayed through the codec against a tree that gives recorded answers. README.md has the format. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { OPCODES } from '../../mount/device/abi.ts';
import { traceError, traceReply, traceRequest } from '../../mount/device/trace.ts';
import type { Decoded } from '../../mount/device/decode.ts';
import { FsError, errnoNumber, type Errno } from '../../src/errno.ts';
import type { Filesystem } from '../../src/tree/filesystem.ts';
import { serveWhole } from '../../mount/device/ops/serve.ts';
import { decode, replyBody, requestBytes, dispatch } from '../unit/mount/device/support.ts';
import { parseTranscript, type Exchange } from './transcript.ts';

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.txt'));

describe.each(files)('%s', (file) => {
  const exchanges = parseTranscript(readFileSync(path.join(import.meta.dirname, file), 'utf8'));

  test.each(exchanges.map((exchange) => [exchange.line, exchange.opcode, exchange] as const))(
    'line %i: %s',
    async (_line, _opcode, exchange) => {
      const bytes = requestBytes(OPCODES[exchange.opcode], exchange.body, {
        unique: exchange.unique,
        nodeid: exchange.node,
      });
      const decoded = decode(bytes);
      expect(traceRequest(decoded)).toBe(exchange.rx);

      const calls: unknown[] = [];
      const { tx, body } = await answered(decoded, recorded(exchange, calls));
      expect(calls).toEqual(exchange.call ? [[exchange.call.method, ...exchange.call.args]] : []);
      if (!decoded.op.reply) {
        expect([exchange.tx, exchange.out]).toEqual([undefined, undefined]);
        return;
      }
      expect(tx).toBe(exchange.tx);
      expect(body).toEqual(exchange.out ?? Buffer.alloc(0));

      const reply = await dispatch(recorded(exchange, []), bytes);
      expect(reply?.readBigUInt64LE(8)).toBe(exchange.unique);
      expect(reply?.readUInt32LE(0)).toBe(16 + body.length);
      const errno = /: (E[A-Z0-9]+)$/.exec(tx)?.[1] as Errno | undefined;
      expect(reply?.readInt32LE(4)).toBe(errno === undefined ? 0 : -errnoNumber(errno));
    },
  );
});

/** A tree that has the one method the transcript speaks of, and notes how it was called. */
function recorded({ call }: Exchange, calls: unknown[]): Partial<Filesystem> {
  if (call === undefined) return {};
  const { method, args, answer } = call;
  const serve = (_request: unknown, ...given: unknown[]) => {
    // JSON knows no undefined and no bytes.
    calls.push([
      method,
      ...given.map((value) => (value instanceof Uint8Array ? String(Buffer.from(value)) : (value ?? null))),
    ]);
    if ('errno' in answer) throw new FsError(answer.errno as Errno, `recorded for ${args.length} arguments`);
    return answer.value;
  };
  return { [method]: serve };
}

async function answered(decoded: Decoded, tree: Partial<Filesystem>): Promise<{ tx: string; body: Buffer }> {
  try {
    const answer = await serveWhole(tree as Filesystem, decoded);
    return { tx: traceReply(decoded, answer), body: replyBody(decoded, answer) };
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return { tx: traceError(decoded.request, error.errno), body: Buffer.alloc(0) };
  }
}
