import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Pid } from '../../../src/ids.ts';
import type { NodeId } from '../../../src/tree/node-id.ts';
import { SlowTexts } from '../../../src/tree/slow-texts.ts';

const FILE = 100 as NodeId;
const [ME, OTHER] = [1, 2] as Pid[] as [Pid, Pid];

afterEach(() => {
  vi.restoreAllMocks();
});

/** Texts that are different each time: `1`, `22`, `333`, … */
function counting() {
  let count = 0;
  return () => Promise.resolve({ text: String(++count).repeat(count) });
}

const read = (texts: SlowTexts, handle: number) => {
  const bytes = texts.read(handle, 0, 4096);
  return bytes && Buffer.from(bytes).toString();
};

describe('SlowTexts', () => {
  test('an open serves the text whose size the stat before it told', async () => {
    const texts = new SlowTexts();
    const produce = counting();
    const { text } = await texts.stat(FILE, ME, produce);
    await texts.open(2, FILE, ME, produce);
    expect([text, read(texts, 2)]).toEqual(['1', '1']);
  });

  test('a stat while it is open tells the size of what is read', async () => {
    const texts = new SlowTexts();
    const produce = counting();
    await texts.open(2, FILE, ME, produce);
    expect((await texts.stat(FILE, ME, produce)).text).toBe(read(texts, 2));
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 3600_000);
    expect((await texts.stat(FILE, ME, produce)).text).toBe('1');
  });

  test('a second open gets a new text, the first keeps its own', async () => {
    const texts = new SlowTexts();
    const produce = counting();
    await texts.open(2, FILE, ME, produce);
    await texts.open(4, FILE, ME, produce);
    expect([read(texts, 2), read(texts, 4)]).toEqual(['1', '22']);
  });

  test('an open after a read to the end gets a new text, as `watch cat` needs it', async () => {
    const texts = new SlowTexts();
    const produce = counting();
    for (const [handle, expected] of [
      [2, '1'],
      [4, '22'],
      [6, '333'],
    ] as const) {
      await texts.open(handle, FILE, ME, produce);
      expect(read(texts, handle)).toBe(expected);
      texts.release(handle);
    }
  });

  test('keeps what a stat told for a second, not longer', async () => {
    const texts = new SlowTexts();
    const produce = counting();
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    await texts.stat(FILE, ME, produce);
    now.mockReturnValue(999);
    expect((await texts.stat(FILE, ME, produce)).text).toBe('1');
    now.mockReturnValue(1000);
    expect((await texts.stat(FILE, ME, produce)).text).toBe('22');
  });

  test('callers and files have each their own', async () => {
    const texts = new SlowTexts();
    const produce = counting();
    await texts.stat(FILE, ME, produce);
    await texts.open(2, FILE, OTHER, produce);
    await texts.open(4, (FILE + 1) as NodeId, ME, produce);
    await texts.open(6, FILE, ME, produce);
    expect([2, 4, 6].map((handle) => read(texts, handle))).toEqual(['22', '333', '1']);
  });

  test('reads any part, and nothing behind the end', async () => {
    const texts = new SlowTexts();
    await texts.open(2, FILE, ME, () => Promise.resolve({ text: 'añb' }));
    const part = (offset: number, size: number) => [...texts.read(2, offset, size)!];
    expect([part(0, 2), part(2, 10), part(4, 10), part(99, 1)]).toEqual([[0x61, 0xc3], [0xb1, 0x62], [], []]);
  });

  test('knows no handle that was not opened, or was released', async () => {
    const texts = new SlowTexts();
    await texts.open(2, FILE, ME, counting());
    texts.release(2);
    texts.release(2);
    expect([texts.read(2, 0, 1), texts.read(4, 0, 1)]).toEqual([undefined, undefined]);
  });

  test('of very many keeps those that are open', async () => {
    const texts = new SlowTexts();
    const produce = counting();
    await texts.open(2, FILE, ME, () => Promise.resolve({ text: 'kept' }));
    const short = () => Promise.resolve({ text: 'x' });
    for (let i = 1; i <= 5000; i++) await texts.stat((FILE + i) as NodeId, ME, short);
    expect([read(texts, 2), (await texts.stat(FILE, ME, produce)).text]).toEqual(['kept', 'kept']);
    expect((await texts.stat((FILE + 1) as NodeId, ME, produce)).text).toBe('1');
  });

  test('keeps no more bytes for opens that do not follow than there is room for', async () => {
    const texts = new SlowTexts();
    const long = () => Promise.resolve({ text: 'x'.repeat(1 << 20) });
    for (let i = 0; i <= 64; i++) await texts.stat((FILE + i) as NodeId, ME, long);
    const again = (index: number) => texts.stat((FILE + index) as NodeId, ME, counting());
    expect([(await again(64)).text.length, (await again(0)).text]).toEqual([1 << 20, '1']);
  });

  test('a user may have so many bytes open, and others theirs', async () => {
    const texts = new SlowTexts();
    const long = () => Promise.resolve({ text: 'x'.repeat(9 << 20) });
    const open = (handle: number, account: number | undefined) => texts.open(handle, FILE, ME, long, account);
    await open(2, 1001);
    await expect(open(4, 1001)).rejects.toMatchObject({ errno: 'EDQUOT' });
    for (const [handle, account] of [
      [6, 1002],
      [8, undefined],
      [10, undefined],
    ] as const)
      await open(handle, account);
    texts.release(2);
    await open(4, 1001);
    expect(texts.read(4, 0, 1)?.length).toBe(1);
  });

  test('all users together may have so many bytes open, and root besides', async () => {
    const texts = new SlowTexts();
    const long = () => Promise.resolve({ text: 'x'.repeat(16 << 20) });
    for (let user = 1; user <= 8; user++) await texts.open(2 * user, FILE, ME, long, user);
    await expect(texts.open(18, FILE, ME, long, 9)).rejects.toMatchObject({ errno: 'ENFILE' });
    await texts.open(20, FILE, ME, long, undefined);
    expect(texts.read(18, 0, 1)).toBeUndefined();
  });

  test('a text that cannot be made is not kept', async () => {
    const texts = new SlowTexts();
    await expect(texts.stat(FILE, ME, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await texts.stat(FILE, ME, counting())).text).toBe('1');
  });
});
