import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keptText } from '../../src/kept-text.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync('/tmp/nsdir-test-');
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

test('says what the file says now, shorter or longer than before', () => {
  const file = path.join(dir, 'cgroup');
  writeFileSync(file, '0::/somewhere\n');
  const text = keptText(file);
  for (const now of ['0::/somewhere\n', '0::/\n', `0::/${'wäb/'.repeat(8000)}\n`, '']) {
    writeFileSync(file, now);
    expect(text()).toBe(now);
  }
});

test('says of this process what reading it anew says', () => {
  expect(keptText('/proc/self/cgroup')()).toBe(readFileSync('/proc/self/cgroup', 'utf8'));
});
