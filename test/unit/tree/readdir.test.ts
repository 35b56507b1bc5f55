import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/container/change.ts';
import type { Container } from '../../../src/container/container.ts';
import { Registry } from '../../../src/container/registry.ts';
import { ROOT_SERIAL, type Pid, type Serial } from '../../../src/ids.ts';
import { directoryId } from '../../../src/tree/node-id.ts';
import { View } from '../../../src/tree/view.ts';

const at = { sec: 1, nsec: 0 };
const HOME = 1 as Serial;

/** A directory with so many containers in it, beside one they can be moved to. */
function home(children: number): { registry: Registry; view: View; container: Container } {
  const registry = new Registry(at);
  const make = (parent: Serial, name: string) => {
    registry.apply({ op: 'make', serial: registry.nextSerial, parent, name, mode: 0o755, uid: 0, gid: 0, at });
  };
  make(ROOT_SERIAL, 'home');
  make(ROOT_SERIAL, 'away');
  for (let i = 0; i < children; i++) make(HOME, `c${i}`);
  const start = { init: { pid: 5 as Pid, startTime: 1 }, kinds: [], at };
  registry.apply({ op: 'start', serial: HOME, ...start });
  return { registry, view: new View(registry), container: registry.get(HOME)! };
}

const happening = fc.record({
  what: fc.constantFrom('make', 'drop', 'rename', 'move out', 'move in', 'swap', 'nothing'),
  which: fc.nat(100),
});
const page = fc.record({ size: fc.integer({ min: 1, max: 7 }), then: fc.array(happening, { maxLength: 4 }) });

/** What happens to the directory between two pages. */
function happen(registry: Registry, { what, which }: { what: string; which: number }, count: number): void {
  const [here, away] = [registry.get(HOME)!, registry.get(2 as Serial)!];
  const pick = (container: Container, index: number) => {
    const all = [...container.children.values()];
    return all[index % all.length];
  };
  const chosen = pick(what === 'move in' ? away : here, which);
  const other = pick(here, which + 1);
  const changes: Change[] = [];
  if (what === 'make') {
    const made = { parent: HOME, name: `new${count}`, mode: 0o755, uid: 0, gid: 0, at };
    changes.push({ op: 'make', serial: registry.nextSerial, ...made });
  } else if (chosen) {
    const { serial } = chosen;
    if (what === 'drop') changes.push({ op: 'drop', serial, at });
    if (what === 'rename') changes.push({ op: 'move', serial, parent: HOME, name: `new${count}`, at });
    if (what === 'move out') changes.push({ op: 'move', serial, parent: away.serial, name: `new${count}`, at });
    if (what === 'move in') changes.push({ op: 'move', serial, parent: HOME, name: `new${count}`, at });
    if (what === 'swap' && other) changes.push({ op: 'exchange', serial, other: other.serial, at });
  }
  for (const change of changes) registry.apply(change);
}

describe('View.readdir', () => {
  test('lists each entry that is there all the while exactly once, whatever comes and goes between pages', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.array(page, { minLength: 1, maxLength: 12 }), (children, pages) => {
        const { registry, view, container } = home(children);
        const stayed = new Set<Container>(container.children.values());
        const controls = [...view.readdir(directoryId(HOME), 0)]
          .map(({ name }) => name)
          .filter((name) => name[0] === '.');
        const seen: { name: string; id: number }[] = [];
        let cookie = 0;
        let count = 0;
        for (let turn = 0; ; turn++) {
          const { size, then } = pages[turn] ?? { size: 100, then: [] };
          const read = [...view.readdir(directoryId(HOME), cookie)].slice(0, size);
          if (read.length === 0) break;
          for (const { name, entry } of read) seen.push({ name, id: entry.attr.id });
          cookie = read.at(-1)!.cookie;
          for (const next of then) {
            happen(registry, next, count++);
            for (const child of stayed)
              if (child.parent !== container || !registry.get(child.serial)) stayed.delete(child);
          }
        }
        const ids = seen.map(({ id }) => id);
        for (const { serial } of stayed) expect(ids.filter((id) => id === directoryId(serial))).toHaveLength(1);
        expect(seen.map(({ name }) => name).filter((name) => name[0] === '.')).toEqual(controls);
      }),
      { numRuns: 300 },
    );
  });

  test('in any pages gives what it gives at once', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (children, sizes) => {
        const { view } = home(children);
        const whole = [...view.readdir(directoryId(HOME), 0)];
        const paged = [];
        for (let turn = 0; paged.length < whole.length; turn++) {
          const rest = view.readdir(directoryId(HOME), paged.at(-1)?.cookie ?? 0);
          paged.push(...[...rest].slice(0, sizes[turn % sizes.length]));
        }
        expect(paged).toEqual(whole);
      }),
    );
  });

  test('cookies grow, so that the kernel can go back to any of them', () => {
    const { view } = home(10);
    const cookies = [...view.readdir(directoryId(HOME), 0)].map(({ cookie }) => cookie);
    expect(cookies).toEqual([...new Set(cookies)].sort((a, b) => a - b));
    expect(cookies.every((cookie) => cookie > 2 && Number.isSafeInteger(cookie))).toBe(true);
  });
});
