import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { detached } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';

it('keeps what a detached command wrote last, and takes no more room than it may', async () => {
  await using tree = await mounted('--output-limit', '1M');
  const counts =
    'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); echo "line number $i"; done; touch "$0"; exec sleep 1000';
  const done = path.join(tree.instance.stateDir, 'done');
  await detached(tree, 'web', ['dash', '-c', counts, done]);
  await eventually(() => existsSync(done), 'it has written all');
  const file = path.join(
    tree.instance.stateDir,
    readdirSync(tree.instance.stateDir).find((name) => name.endsWith('.log'))!,
  );
  await eventually(() => statSync(file).blocks * 512 <= 1 << 20, 'its beginning is given up');
  expect(statSync(file).size).toBeGreaterThan(7_000_000);
  const { stdout, stderr } = await tree.nsdir('logs', 'web');
  expect(stderr).toMatch(/^the first \d+ bytes are not kept; see --output-limit$/);
  const lines = stdout.split('\n');
  const first = Number(/^line number (\d+)$/.exec(lines[0]!)?.[1]);
  expect(first).toBeGreaterThan(300_000);
  expect(lines).toEqual(Array.from({ length: 400_000 - first + 1 }, (_, index) => `line number ${first + index}`));
  expect((await tree.nsdir('logs', '-n', '2', 'web')).stdout).toBe('line number 399999\nline number 400000');
  expect((await tree.nsdir('logs', '-n', '1000000', 'web')).stdout.split('\n').at(0)).toBe(lines[0]);
});
