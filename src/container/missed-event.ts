import type { Timespec } from '../time.ts';
import type { Change, Commit } from './change.ts';
import type { Container } from './container.ts';
import { whereabouts, type EventDetail, type EventName, type Events, type Whereabouts } from './events.ts';
import { Registry } from './registry.ts';

/**
 * A verb commits its change and tells of it in one turn, so a daemon that died between the two leaves only the last commit
 * untold: that is told now. `history` is the journal as it was read, before it is rewritten.
 */
export function tellMissed(history: readonly Commit[], events: Events): void {
  const last = history.at(-1);
  if (!last?.changes.some(isTold)) return;
  const registry = new Registry();
  for (const { changes } of history.slice(0, -1)) for (const change of changes) registry.apply(change);
  for (const change of last.changes) {
    const [container, wasFrozen, place] = stateOf(registry, change);
    const dropped = change.op === 'drop';
    if (dropped && container) tellUnlessTold(events, container, 'removed', change.at);
    registry.apply(change);
    const now = dropped ? undefined : stateOf(registry, change)[0];
    const event = eventOf(change, wasFrozen);
    if (now && event) tellUnlessTold(events, now, event, timeOf(change), detailOf(change, place));
  }
}

/** Changes that are always told of by one event, its name depending on the change alone. */
function isTold({ op }: Change): boolean {
  return ['make', 'drop', 'start', 'exit', 'phase', 'move'].includes(op);
}

function stateOf(
  registry: Registry,
  change: Change,
): [container: Container | undefined, frozen: boolean, place: Whereabouts | undefined] {
  const container = registry.get(change.serial);
  return [container, container?.phase === 'frozen', container && whereabouts(container)];
}

function eventOf(change: Change, wasFrozen: boolean): EventName | undefined {
  switch (change.op) {
    case 'make':
      return 'created';
    case 'start':
      return 'started';
    case 'move':
      return 'renamed';
    case 'exit':
      return change.status === undefined ? undefined : 'exited';
    case 'phase':
      return change.phase === 'frozen' ? 'frozen' : wasFrozen && change.phase === 'running' ? 'thawed' : undefined;
    default:
      return undefined;
  }
}

function detailOf(change: Change, place: Whereabouts | undefined): EventDetail | undefined {
  if (change.op === 'move') return place;
  return change.op === 'exit' ? change.status : undefined;
}

function timeOf(change: Change): Timespec {
  return 'at' in change ? change.at : { sec: 0, nsec: 0 };
}

function tellUnlessTold(
  events: Events,
  container: Container,
  event: EventName,
  at: Timespec,
  detail?: EventDetail,
): void {
  if (!events.hasTold(container.serial, event, at)) events.emit(container, event, detail);
}
