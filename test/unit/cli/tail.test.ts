import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { startOfLastLines } from '../../../src/cli/tail.ts';

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
