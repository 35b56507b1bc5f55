import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/container/change.ts';
import type { Container } from '../../../src/container/container.ts';
import { hasOnlyLateChildren, hide, hiddenNow, TOMBSTONE_MS } from '../../../src/container/hiding.ts';
import { Registry } from '../../../src/container/registry.ts';
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

describe('two replicas', () => {
  const start: Change = { op: 'start', serial: WEB, init: { pid: 2 as Pid, startTime: 1 }, kinds: [], at };
  const news = fc.constantFrom<Change>(
    { op: 'phase', serial: WEB, phase: 'stopped', at },
    { op: 'attr', serial: WEB, mode: 0o700, at },
    { op: 'reveal', serial: WEB },
    start,
  );
  const step = fc.oneof(
    fc.record({ main: news }),
    fc.record({ unlinked: fc.nat(20) }),
    fc.constantFrom('main hears', 'replica hears' as const),
  );

  test('hide the same once each has heard of the other, whatever crossed on the way', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const [main, replica] = [web(), web()];
        const toReplica: Change[] = [];
        const toMain: { bits: number; seen: number }[] = [];
        const hear = {
          'main hears': () => {
            const told = toMain.shift();
            if (told) hide(main.container, told.bits, 0, told.seen);
          },
          'replica hears': () => {
            const change = toReplica.shift();
            if (change) replica.registry.apply(change);
          },
        };
        for (const each of steps) {
          if (typeof each === 'string') hear[each]();
          else if ('main' in each) {
            main.registry.apply(each.main);
            toReplica.push(each.main);
          } else {
            toMain.push({ bits: 1 << each.unlinked, seen: replica.registry.changes });
            hide(replica.container, 1 << each.unlinked, 0);
          }
        }
        while (toReplica.length > 0) hear['replica hears']();
        while (toMain.length > 0) hear['main hears']();
        expect(main.container.hidden).toBe(replica.container.hidden);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('hasOnlyLateChildren', () => {
  const found: Change = {
    ...{ op: 'found', serial: 2 as Serial, parent: WEB, name: 'unnamed1', mode: 0o755, uid: 0, gid: 0 },
    ...{ key: 'k', mark: 'm', kinds: [], at: { sec: 100, nsec: 0 } },
  };
  const made: Change = {
    ...{ op: 'make', serial: 2 as Serial, parent: WEB, name: 'job', mode: 0o755, uid: 0, gid: 0 },
    ...{ inside: true, at: { sec: 100, nsec: 0 } },
  };
  const named: Change = { op: 'move', serial: 2 as Serial, parent: WEB, name: 'home', at };
  const ended: Change = { op: 'phase', serial: WEB, phase: 'stopped', at: { sec: 100, nsec: 0 } };
  const start: Change = { op: 'start', serial: WEB, init: { pid: 2 as Pid, startTime: 1 }, kinds: [], at };
  test.each<[string, boolean, Change[]]>([
    ['runs', true, [start, made]],
    ['ended since its removal began', true, [start, made, ended]],
    ['ended long before', false, [start, { ...ended, at }, made]],
    ['runs, its child being older than that', false, [start, { ...made, at }]],
    ['has one that was discovered', true, [start, found]],
    ['has one that was discovered long before', true, [start, { ...found, at }]],
    ['ended long before, and has one that was discovered', true, [start, { ...ended, at }, { ...found, at }]],
    ['has one that was discovered, and named', false, [start, { ...found, at }, named]],
    [
      'has one that was made in one that was discovered',
      false,
      [start, found, { ...made, serial: 3 as Serial, parent: 2 as Serial, at }],
    ],
  ])('of a container that %s: %s', (_, late, changes) => {
    const { registry, container } = web();
    for (const change of changes) registry.apply(change);
    hide(container, 0b100, 101_000);
    expect(hasOnlyLateChildren(container, 101_001)).toBe(late);
  });
});
