import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { startOfKept, startOfLastLines } from '../../../src/cli/tail.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'nsdir-tail-'));

afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function lastLines(text: string, lines: number): Promise<string> {
  const file = path.join(directory, 'log');
  writeFileSync(file, text);
  const handle = await open(file);
  try {
    return text.slice(await startOfLastLines(handle, lines));
  } finally {
    await handle.close();
  }
}

/** What tail(1) gives. */
function model(text: string, lines: number): string {
  const all = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return lines === 0 ? '' : all.slice(-lines).join('');
}

describe('startOfLastLines', () => {
  test('is where tail -n begins', async () => {
    const text = fc.array(fc.constantFrom('a', 'bc', '\n', '\n\n'), { maxLength: 20 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(text, fc.nat(8), async (given, lines) => {
        expect(await lastLines(given, lines)).toBe(model(given, lines));
      }),
    );
  });

  test('finds lines longer than a block', async () => {
    const long = `${'x'.repeat(100_000)}\n`;
    expect(await lastLines(`first\n${long}${long}`, 2)).toBe(long + long);
  });
});

describe('startOfKept', () => {
  const start = async (bytes: number, hole: number) => {
    const file = path.join(directory, 'holed');
    writeFileSync(file, 'a line of 16 by\n'.repeat(bytes / 16));
    if (hole > 0) execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', String(hole), file]);
    await using handle = await open(file);
    return await startOfKept(handle);
  };

  test('is where the first whole line behind the hole begins', async () => {
    expect(await start(1 << 20, 40_960)).toBe(40_960 + 16);
    expect(await start(1 << 20, (1 << 20) - 4096)).toBe((1 << 20) - 4096 + 16);
  });

  test('is 0 for a file without one, also if it is of zeros', async () => {
    expect(await start(1 << 20, 0)).toBe(0);
    expect(await start(0, 0)).toBe(0);
    const zeros = path.join(directory, 'zeros');
    writeFileSync(zeros, Buffer.alloc(65_536));
    await using handle = await open(zeros);
    expect(await startOfKept(handle)).toBe(0);
  });
});
