/** INIT: what is agreed on, in bytes; which kernels are refused. */
import { describe, expect, test } from 'vitest';
import { pagesOf, type InitAnswer } from '../../../../mount/device/negotiate.ts';
import { initIn } from './samples.ts';
import { pad, replyBody, request, u16, u32 } from './support.ts';

const ALL = 0xffff_ffff;

function init(given: Parameters<typeof initIn>[0]): { answer: InitAnswer; reply: Buffer } {
  const decoded = request('INIT', initIn(given));
  const answer = decoded.op.serve({}, decoded.request, decoded.args) as InitAnswer;
  return { answer, reply: replyBody(decoded, answer) };
}

const initOut = (minor: number, flags: number, flags2: number) =>
  Buffer.concat([
    u32(7),
    u32(minor),
    u32(0x2_0000),
    u32(flags),
    u16(0),
    u16(0),
    u32(128 * 1024),
    u32(1),
    u16(32),
    u16(0),
    u32(flags2),
    // max_stack_depth
    u32((flags2 & PASSTHROUGH) === 0 ? 0 : 1),
    pad(24),
  ]);

/**
 * ASYNC_READ, ATOMIC_O_TRUNC, BIG_WRITES, AUTO_INVAL_DATA, DO_READDIRPLUS, PARALLEL_DIROPS, MAX_PAGES, NO_OPENDIR_SUPPORT,
 * INIT_EXT.
 */
const WANTED = [0, 3, 5, 12, 13, 18, 22, 24, 30].reduce((word, bit) => word | (1 << bit), 0) >>> 0;
/** HAS_EXPIRE_ONLY, PASSTHROUGH, NO_EXPORT_SUPPORT, HAS_RESEND. */
const PASSTHROUGH = 1 << 5;
const WANTED_2 = (1 << 3) | PASSTHROUGH | (1 << 6) | (1 << 7);

describe('INIT', () => {
  test('a kernel that can everything is asked for what is wanted, and for nothing else', () => {
    const { answer, reply } = init({ flags: ALL, flags2: ALL });
    expect(reply).toEqual(initOut(45, WANTED, WANTED_2));
    expect(answer.negotiated).toMatchObject({ minor: 45, maxWriteBytes: 131_072 });
  });

  test.each([
    [4096, 32],
    [16_384, 8],
    [65_536, 2],
    [1 << 20, 1],
  ])('with pages of %i bytes a request has %i, as long as its data is', (pageBytes, pages) => {
    expect(pagesOf(128 * 1024, pageBytes)).toBe(pages);
  });

  test('what is agreed on survives being written to disk', () => {
    const { negotiated } = init({ flags: ALL, flags2: ALL }).answer;
    expect(JSON.parse(JSON.stringify(negotiated))).toEqual(negotiated);
    expect(negotiated?.flags).toContain('HAS_RESEND');
  });

  test('a kernel that can little gets little', () => {
    const { answer, reply } = init({ minor: 31, flags: (1 << 24) | (1 << 16) });
    expect(reply).toEqual(initOut(31, 1 << 24, 0));
    expect(answer.negotiated).toEqual({ minor: 31, maxWriteBytes: 131_072, flags: ['NO_OPENDIR_SUPPORT'] });
  });

  test('flags2 counts only where INIT_EXT says it is there', () => {
    expect(init({ flags: 1, flags2: ALL }).reply).toEqual(initOut(45, 1, 0));
  });

  test('of two minor versions the lesser counts', () => {
    expect(init({ minor: 99 }).answer.negotiated?.minor).toBe(45);
    expect(init({ minor: 36 }).answer.negotiated?.minor).toBe(36);
  });

  test('a kernel of a later major version is told ours and asked to begin again', () => {
    const { answer, reply } = init({ major: 8, minor: 3, flags: ALL, flags2: ALL });
    expect(answer.negotiated).toBeUndefined();
    expect(reply.subarray(0, 8)).toEqual(Buffer.concat([u32(7), u32(45)]));
  });

  test.each([
    [7, 30],
    [6, 45],
  ])('a kernel that speaks %i.%i is refused with what is needed', (major, minor) => {
    const attempt = () => init({ major, minor });
    expect(attempt).toThrow(/7\.31 is needed.*Linux 5\.4/);
    expect(attempt).toThrow(expect.objectContaining({ errno: 'EPROTO' }));
  });
});
