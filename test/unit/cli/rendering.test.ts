import { describe, expect, test } from 'vitest';
import type { Reading } from '../../../src/cli/tree/reading.ts';
import { renderTree } from '../../../src/cli/tree/rendering.ts';
import { fitted } from '../../../src/cli/tree/screen.ts';
import { Shares } from '../../../src/cli/tree/shares.ts';

const leaf = (name: string, more: Partial<Reading> = {}): Reading => ({ name, children: [], ...more });

const TREE: Reading = {
  name: '/namespaces',
  children: [
    {
      name: 'web',
      state: 'running',
      init: 4711,
      processes: 3,
      cpuUsec: 61_500_000,
      memoryBytes: 1536 * 1024,
      children: [leaf('job', { state: 'frozen', init: 12, processes: 1, cpuUsec: 2_300, memoryBytes: 900 })],
    },
    leaf('idle'),
  ],
};

describe('renderTree', () => {
  test('aligns names, states and figures', () => {
    expect(renderTree(TREE)).toEqual([
      '             STATE    INIT  PROCS   CPU  MEMORY',
      '/namespaces  -',
      '├─ web       running  4711      3  1m1s    1.5M',
      '│  └─ job    frozen     12      1   2ms    900B',
      '└─ idle      -',
    ]);
  });

  test('aligns what stands behind wide letters and marks', () => {
    const rows = renderTree({ name: 'r', children: [leaf('語'), leaf('e\u0301'), leaf('ab')] });
    expect(rows.slice(2)).toEqual(['├─ 語  -', '├─ e\u0301   -', '└─ ab  -']);
  });

  test('shows the errno of what could not be read', () => {
    expect(renderTree(leaf('x', { error: 'EACCES' })).at(-1)).toBe('x  EACCES');
  });

  test('lets no control character of a name through to the terminal', () => {
    expect(renderTree(leaf('a\u001b[2Jb\n')).join('\n')).toContain('a\u{FFFD}[2Jb\u{FFFD}');
  });

  test('shortens a name of 255 characters', () => {
    expect(renderTree(leaf('n'.repeat(255))).at(-1)).toMatch(/^n{59}… {2}-$/);
  });

  test('shows shares of a cpu where they are given', () => {
    const lines = renderTree(TREE, (path) => (path === '/namespaces/web/job' ? 0.125 : undefined));
    expect(lines[0]).toContain('%CPU');
    expect(lines[3]).toMatch(/ 12\.5 /);
  });
});

describe('Shares', () => {
  test('are what was used between two readings, by path', () => {
    const shares = new Shares();
    shares.next({ name: 'r', children: [leaf('a', { cpuUsec: 1_000_000 })] }, 1_000);
    const of = shares.next(
      { name: 'r', children: [leaf('a', { cpuUsec: 1_500_000 }), leaf('b', { cpuUsec: 5 })] },
      2_000,
    );
    expect(of('r/a')).toBeCloseTo(0.5);
    expect(of('r/b')).toBeUndefined();
  });

  test('are not negative when another container has the name', () => {
    const shares = new Shares();
    shares.next(leaf('a', { cpuUsec: 9 }), 1_000);
    expect(shares.next(leaf('a', { cpuUsec: 1 }), 2_000)('a')).toBeUndefined();
  });
});

describe('fitted', () => {
  test('cuts to the terminal and says how much is left out', () => {
    const lines = fitted(['12345', 'b', 'c', 'd'], 3, 3).map((line) => line.replace('\u001b[K', ''));
    expect(lines).toEqual(['123', 'b', '… 2']);
  });
});
