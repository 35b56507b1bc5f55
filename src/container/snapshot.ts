import type { Change } from './change.ts';
import type { Container, Found } from './container.ts';

/** Changes that make this container, its children apart, as it is; but for its file times, which children's `make` would touch. */
export function* describe(container: Container): Generator<Change> {
  const { serial, parent, name, mode, uid, gid, phase, init, kinds, changed: at } = container;
  const inside = container.inside ? { inside: true } : {};
  if (parent && container.found) yield* describeFound(container, container.found, parent);
  else if (parent) yield { op: 'make', serial, parent: parent.serial, name, mode, uid, gid, ...inside, at };
  if (container.bundle !== undefined) yield { op: 'bundle', serial, bundle: container.bundle, at };
  if (init && !container.found) yield { op: 'start', serial, init, kinds: kinds ?? [], at };
  else if (kinds && !container.found) yield { op: 'want', serial, kinds };
  if (phase !== 'declared') yield { op: 'phase', serial, phase, at };
  if (container.unshown > 0) yield { op: 'unshown', serial, count: container.unshown };
  if (container.moving) yield { op: 'moving', serial, moving: true };
  if (container.checkpoint !== 'none') yield { op: 'checkpoint', serial, is: container.checkpoint };
  if (container.exit !== undefined) yield { op: 'exit', serial, status: container.exit, at };
  if (container.error !== undefined) yield { op: 'error', serial, text: container.error, at };
}

function* describeFound(
  { serial, name, mode, uid, gid, init, kinds, changed: at }: Container,
  found: Found,
  parent: Container,
): Generator<Change> {
  const node = { serial, parent: parent.serial, name, mode, uid, gid };
  const known = init ? { init } : {};
  yield { op: 'found', ...node, ...found, ...known, kinds: kinds ?? [], at };
}
