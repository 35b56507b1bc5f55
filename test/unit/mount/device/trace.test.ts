/** One line per request and reply, whatever is in a name. */
import { describe, expect, test } from 'vitest';
import { OPCODES } from '../../../../mount/device/abi.ts';
import { traceError, traceReply, traceRequest } from '../../../../mount/device/trace.ts';
import { SAMPLES } from './samples.ts';
import { decode, ENTRY, request, requestBytes, str, u32, u64 } from './support.ts';

describe('traceRequest', () => {
  test.each([
    [request('MKDIR', u32(0o755), u32(0), str('web')), 'rx 7: MKDIR n1 "web" 0755'],
    [request('RENAME2', u64(33), u32(1), u32(0), str('a'), str('b')), 'rx 7: RENAME2 n1 "a" -> n33 "b" flags=1'],
    [request('RENAME', u64(33), str('a'), str('b')), 'rx 7: RENAME n1 "a" -> n33 "b"'],
    [request('UNLINK', str('a\n"b')), 'rx 7: UNLINK n1 "a\\n\\"b"'],
    [request('STATFS'), 'rx 7: STATFS n1'],
    [request('RMDIR'), 'rx 7: RMDIR n1 text at byte 40 has no end in a request of 40 bytes'],
    [decode(requestBytes(999, Buffer.alloc(0))), 'rx 7: OPCODE-999 n1 no opcode 999'],
    [decode(requestBytes(OPCODES.STATFS, Buffer.alloc(0), { unique: (1n << 63n) | 8n })), 'rx 8+: STATFS n1'],
  ])('%#: shows opcode, node and arguments', (decoded, line) => {
    expect(traceRequest(decoded)).toBe(line);
  });
});

describe('traceReply', () => {
  test('shows what the answer is', () => {
    expect(traceReply(request('RMDIR', str('web')), undefined)).toBe('tx 7: OK');
    expect(traceReply(request('LOOKUP', str('web')), ENTRY)).toBe(`tx 7: OK n${ENTRY.attr.id} 100640`);
  });

  test.each(SAMPLES.map((sample) => [sample.op, sample] as const))('%s is one line', (op, { body, answer }) => {
    expect(traceReply(request(op, ...body), answer)).toMatch(/^tx 7: OK[^\n]*$/);
  });

  test('traceError shows the errno', () => {
    expect(traceError({ unique: 7, resent: false }, 'ENOENT')).toBe('tx 7: ENOENT');
  });
});
