/** Listings: bytes, paging by cookies, and that no page is longer than the kernel asked for. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { DirEntry } from '../../../../src/tree/filesystem.ts';
import type { NodeId } from '../../../../src/tree/node-id.ts';
import { OPCODES } from '../../../../mount/device/abi.ts';
import { readIn } from './samples.ts';
import { ATTR, decode, dirent, dispatch, entryOut, pad, replyBody, request, requestBytes } from './support.ts';

const DIR = 4;
const FILE = 8;
const UNKNOWN = 0xffff_ffff;

const entry = (name: string, cookie: number, id = cookie * 10, mode = 0o100644): DirEntry => ({
  name,
  cookie,
  entry: { attr: { ...ATTR, id: id as NodeId, mode }, cacheable: true },
});

const LISTING = [entry('web', 16, 160, 0o040755), entry('wéb', 20), entry('.state', 1000), entry('12345678', 2 ** 40)];

describe('READDIR', () => {
  test('has dot and dotdot first, then the entries with their inode, cookie and type', () => {
    const list = decode(requestBytes(OPCODES.READDIR, readIn(0, 4096), { nodeid: 33 }));
    expect(replyBody(list, LISTING)).toEqual(
      Buffer.concat([
        dirent('.', 33, 1, DIR),
        dirent('..', UNKNOWN, 2, DIR),
        dirent('web', 160, 16, DIR),
        dirent('wéb', 200, 20, FILE),
        dirent('.state', 10_000, 1000, FILE),
        dirent('12345678', 10 * 2 ** 40, 2 ** 40, FILE),
      ]),
    );
  });

  test("dotdot of the root is the root, as on any mount's root", () => {
    expect(replyBody(request('READDIR', readIn(1, 4096)), [])).toEqual(dirent('..', 1, 2, DIR));
  });

  test.each([
    [0, 0],
    [1, 0],
    [2, 0],
    [15, 0],
    [16, 16],
    [2 ** 40, 2 ** 40],
  ])('offset %d asks for entries after cookie %d', (offset, cookie) => {
    const { op, request: asked, args } = request('READDIR', readIn(offset, 4096));
    const readdir = vi.fn().mockReturnValue([]);
    op.serve({ readdir }, asked, args);
    expect(readdir).toHaveBeenCalledWith(asked, 1, cookie);
  });

  test('stops taking entries when a page is full', () => {
    let taken = 0;
    function* endless(): Generator<DirEntry> {
      for (;;) yield entry('x', 16 + taken++);
    }
    expect(replyBody(request('READDIR', readIn(2, 32 * 3)), endless())).toHaveLength(96);
    expect(taken).toBe(4);
  });
});

describe('READDIRPLUS', () => {
  test('has an entry before each, of node 0 for dot and dotdot', () => {
    const web = LISTING[0]!;
    const list = decode(requestBytes(OPCODES.READDIRPLUS, readIn(0, 4096), { nodeid: 33 }));
    expect(replyBody(list, [web])).toEqual(
      Buffer.concat([
        pad(128),
        dirent('.', 33, 1, DIR),
        pad(128),
        dirent('..', UNKNOWN, 2, DIR),
        entryOut(web.entry.attr, 0, { name: UNKNOWN, attr: UNKNOWN }),
        dirent('web', 160, 16, DIR),
      ]),
    );
  });
});

describe('paging', () => {
  const names = fc.uniqueArray(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((name) => !name.includes('\0')),
    { maxLength: 40 },
  );

  test.each([
    ['READDIR', 0],
    ['READDIRPLUS', 128],
  ] as const)('%s gives each name once, on pages within their size, for any size', async (name, extra) => {
    await fc.assert(
      fc.asyncProperty(names, fc.integer({ min: 1100, max: 5000 }), async (listed, size) => {
        const all = listed.map((text, index) => entry(text, 16 + index * 3));
        const readdir = (_request: unknown, _id: unknown, cookie: number) => all.filter((one) => one.cookie > cookie);
        const seen: string[] = [];
        for (let offset = 0, page = 0; page <= listed.length + 2; page++) {
          const reply = await dispatch({ readdir }, requestBytes(OPCODES[name], readIn(offset, size)));
          const body = reply!.subarray(16);
          expect(body.length).toBeLessThanOrEqual(size);
          if (body.length === 0) break;
          for (let at = 0; at < body.length;) {
            at += extra;
            const bytes = body.readUInt32LE(at + 16);
            seen.push(body.toString('utf8', at + 24, at + 24 + bytes));
            offset = Number(body.readBigUInt64LE(at + 8));
            at += 24 + Math.ceil(bytes / 8) * 8;
          }
        }
        expect(seen).toEqual(['.', '..', ...all.map((one) => Buffer.from(one.name).toString())]);
      }),
      { numRuns: 50 },
    );
  });

  test('never writes over size, even one too small for anything', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 700 }), fc.boolean(), (size, plus) => {
        const list = request(plus ? 'READDIRPLUS' : 'READDIR', readIn(0, size));
        expect(replyBody(list, LISTING).length).toBeLessThanOrEqual(size);
      }),
    );
  });

  test('a size beyond the reply buffer is as much as fits', () => {
    function* endless(): Generator<DirEntry> {
      for (let cookie = 16; ; cookie++) yield entry('container', cookie);
    }
    const body = replyBody(request('READDIRPLUS', readIn(0, 2 ** 31)), endless());
    expect(body.length).toBeGreaterThan(127 * 1024);
    expect(body.length).toBeLessThanOrEqual(128 * 1024);
  });
});
