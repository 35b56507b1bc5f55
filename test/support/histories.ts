import fc from 'fast-check';
import type { Change } from '../../src/container/change.ts';
import { contains, isLive, type Container } from '../../src/container/container.ts';
import { Registry } from '../../src/container/registry.ts';
import { ROOT_SERIAL, type Pid } from '../../src/ids.ts';
import { NAMESPACE_KINDS } from '../../src/namespaces.ts';

/** What may happen next. The numbers choose among what there is, so a step means something in any registry. */
interface Step {
  readonly op: Change['op'];
  readonly a: number;
  readonly b: number;
  readonly name: string;
  readonly flag: boolean;
}

const OPS = ['make', 'make', 'make', 'make', 'move', 'exchange', 'drop', 'attr', 'want', 'start', 'start'] as const;
const LATER_OPS = [
  'found',
  'found',
  'pin',
  'pin',
  'lost',
  'unshown',
  'moving',
  'bundle',
  'checkpoint',
  'phase',
  'phase',
  'exit',
  'clear',
  'error',
  'reveal',
  'next',
] as const;

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom(...OPS, ...LATER_OPS),
  a: fc.nat(1000),
  b: fc.nat(1000),
  name: fc.constantFrom('a', 'b', 'c', 'd', 'ü', 'web', 'job'),
  flag: fc.boolean(),
});

/** Lives of a registry, to be played with {@link play}. */
export const histories: fc.Arbitrary<readonly Step[]> = fc.array(step, { maxLength: 60 });

/** Does to an empty registry what is possible of the steps. Answers with it, and with the changes that were made. */
export function play(steps: readonly Step[]): { registry: Registry; changes: Change[] } {
  const registry = new Registry({ sec: 1, nsec: 0 });
  const changes: Change[] = [];
  for (const [index, next] of steps.entries()) {
    for (const change of changesOf(registry, next, { sec: 100 + index, nsec: index })) {
      registry.apply(change);
      changes.push(change);
    }
  }
  return { registry, changes };
}

/** Changes a verb would make for this step; none if the step makes no sense now. */
function changesOf(registry: Registry, { op, a, b, name, flag }: Step, at: { sec: number; nsec: number }): Change[] {
  const all = allOf(registry);
  const container = all[a % all.length]!;
  const other = all[b % all.length]!;
  const { serial, phase } = container;
  const isRoot = serial === ROOT_SERIAL;
  const kinds = NAMESPACE_KINDS.map(({ kind }) => kind).filter((_, index) => (b >> index) % 2 === 1);
  switch (op) {
    case 'make':
      if (container.children.has(name)) return [];
      return [{ op, serial: registry.nextSerial, parent: serial, name, mode: b % 0o2000, uid: b, gid: a, at }];
    case 'found':
      if (container.children.has(name)) return [];
      return [
        {
          ...{ op, serial: registry.nextSerial, parent: serial, name, mode: b % 0o2000, uid: b, gid: a, kinds, at },
          ...{ key: `${a}`, mark: `${b}`, init: { pid: (b + 2) as Pid, startTime: a } },
        },
      ];
    case 'pin':
      if (!container.found || phase === 'removing') return [];
      return [{ op, serial, key: name, mark: name, init: { pid: (b + 2) as Pid, startTime: a }, at }];
    case 'lost':
      if (!container.found || !container.parent || container.children.size > 0) return [];
      return [{ op, serial, parent: container.parent.serial, at }];
    case 'unshown':
      return [{ op, serial: ROOT_SERIAL, count: a }];
    case 'move': {
      if (isRoot || contains(container, other)) return [];
      const replaced = other.children.get(name);
      if (replaced === container || (replaced && replaced.children.size > 0)) return [];
      const drop: Change[] = replaced ? [{ op: 'drop', serial: replaced.serial, at }] : [];
      return [...drop, { op, serial, parent: other.serial, name, at }];
    }
    case 'exchange':
      if (isRoot || contains(container, other) || contains(other, container)) return [];
      return [{ op, serial, other: other.serial, at }];
    case 'drop':
      return isRoot ? [] : [{ op, serial, at }];
    case 'attr':
      return [
        flag ? { op, serial, mode: b, at } : { op, serial, uid: a, gid: b, atime: at, mtime: { ...at, sec: b }, at },
      ];
    case 'enter':
      return isRoot
        ? []
        : [{ op, serial, pid: (b + 1) as Pid, startTime: a, by: flag ? 'symlink' : 'net', begun: flag }];
    case 'leave':
      return [{ op, serial, pid: (b + 1) as Pid }];
    case 'moving':
      return isRoot ? [] : [{ op, serial, moving: flag }];
    case 'checkpoint':
      return isRoot ? [] : [{ op, serial, is: flag ? 'held' : 'arriving' }];
    case 'bundle':
      if (isRoot || isLive(container) || container.found) return [];
      return [flag ? { op, serial, bundle: `/srv/${name}`, at } : { op, serial, at }];
    case 'want':
      return phase === 'declared' && !container.found ? [{ op, serial, kinds: flag ? kinds : undefined }] : [];
    case 'start':
      if (isRoot || isLive(container) || phase === 'removing' || container.found) return [];
      return [{ op, serial, init: { pid: (b + 2) as Pid, startTime: a }, kinds, at }];
    case 'phase':
      if (isRoot || phase === 'declared') return [];
      if (phase === 'running') return [{ op, serial, phase: flag ? 'frozen' : 'stopped', at }];
      return [{ op, serial, phase: phase === 'frozen' && flag ? 'running' : 'removing', at }];
    case 'exit':
      if (isRoot || !container.init || container.found) return [];
      return [flag ? { op, serial, status: b % 256, at } : { op, serial, at }];
    case 'clear':
      return [{ op, serial, what: flag ? 'exit' : 'error' }];
    case 'error':
      return [{ op, serial, text: `EBUSY: ${name}`, at }];
    case 'reveal':
      return [{ op, serial }];
    case 'next':
      return [{ op, serial: (registry.nextSerial + (b % 3)) as typeof serial }];
  }
}

/** Every container there is, in a stable order. */
export function allOf(registry: Registry): Container[] {
  const all: Container[] = [];
  for (let serial = 0; serial < registry.nextSerial; serial++) {
    const found = registry.get(serial as Container['serial']);
    if (found) all.push(found);
  }
  return all;
}

/** All that a registry knows, but for what only counts or is forgotten in seconds: two that look the same are equal. */
export function look(registry: Registry): unknown {
  return { next: registry.nextSerial, size: registry.size, root: lookAt(registry.root) };
}

function lookAt(container: Container): unknown {
  const { parent, children, version: _version, hidden: _hidden, hiddenAt: _hiddenAt, ...known } = container;
  const { stirredAt: _stirredAt, revealedAt: _revealedAt, ...rest } = known;
  return { ...rest, parent: parent?.serial, children: [...children].map(([name, child]) => [name, lookAt(child)]) };
}
