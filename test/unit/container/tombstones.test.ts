import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/container/change.ts';
import type { Container } from '../../../src/container/container.ts';
import { hide, hiddenNow, Registry, TOMBSTONE_MS } from '../../../src/container/registry.ts';
import { ROOT_SERIAL, type Pid, type Serial } from '../../../src/ids.ts';

const WEB = 1 as Serial;
const at = { sec: 1, nsec: 0 };
const ALL = -1;

function web(): { registry: Registry; container: Container } {
  const registry = new Registry(at);
  registry.apply({ op: 'make', serial: WEB, parent: ROOT_SERIAL, name: 'web', mode: 0o755, uid: 0, gid: 0, at });
  return { registry, container: registry.get(WEB)! };
}

describe('hide', () => {
  test('hides for ten seconds', () => {
    const { container } = web();
    hide(container, 0b100, 5000);
    expect([5000, 5000 + TOMBSTONE_MS - 1, 5000 + TOMBSTONE_MS].map((ms) => hiddenNow(container, ms))).toEqual([
      0b100, 0b100, 0,
    ]);
  });

  test('adds to what is hidden, and starts the time anew', () => {
    const { container } = web();
    hide(container, 0b100, 0);
    hide(container, 0b010, 9000);
    expect(hiddenNow(container, 18_999)).toBe(0b110);
  });

  test('does not bring back what had reappeared', () => {
    const { container } = web();
    hide(container, 0b100, 0);
    hide(container, 0b010, TOMBSTONE_MS);
    expect(hiddenNow(container, TOMBSTONE_MS)).toBe(0b010);
  });
});

describe('Registry.apply', () => {
  const news: Change[] = [
    { op: 'phase', serial: WEB, phase: 'stopped', at },
    { op: 'exit', serial: WEB, status: 1, at },
    { op: 'error', serial: WEB, text: 'EBUSY', at },
  ];

  test.each(news)('$op while entries are being unlinked: what appears is born hidden', (change) => {
    const { registry, container } = web();
    hide(container, 0b100, 0);
    registry.apply(change);
    expect(hiddenNow(container, 1)).toBe(ALL);
  });

  test.each(news)('$op hides nothing where nothing was unlinked', (change) => {
    const { registry, container } = web();
    registry.apply(change);
    expect(hiddenNow(container, 1)).toBe(0);
  });

  test('start shows all entries again', () => {
    const { registry, container } = web();
    hide(container, 0b100, 0);
    registry.apply({ op: 'start', serial: WEB, init: { pid: 2 as Pid, startTime: 1 }, kinds: [], at });
    expect(hiddenNow(container, 1)).toBe(0);
  });
});
