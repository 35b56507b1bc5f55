import type { Pid } from '../ids.ts';
import type { NamespaceKind } from '../namespaces.ts';
import { isAlive } from '../proc/process.ts';
import type { Container, PinnedProcess } from './container.ts';
import { contains } from './container.ts';
import type { Machine } from './machine.ts';

/**
 * How a process was asked to enter, and so what its entry in `.proxy` is. By `state` it leads: when it ends, so does the
 * container (`leaders.ts`).
 */
export type EnteredBy = 'symlink' | 'nsproxy' | 'state' | NamespaceKind;

/** A process that came from outside, not through the container's init. */
export interface Entered extends PinnedProcess {
  readonly container: Container;
  readonly by: EnteredBy;
  /** It was answered that it is inside before it was; a daemon that dies then leaves the rest to the next one. */
  readonly begun: boolean;
}

/** Processes remembered; beyond it the dead are looked for, and then the oldest that lead nothing are forgotten, which only unlists them. */
export const ENTERED_LIMIT = 16_384;

/** Those that entered `container` or what is in it, and live; the latest last. */
export function enteredBelow(machine: Machine, container: Container): Entered[] {
  forgetDead(machine);
  return [...machine.store.registry.entered.values()].filter(
    (entered) => contains(container, entered.container) && !isDeadLeader(machine, entered),
  );
}

/** Those that entered it or what is in it; they may be dead, or not lead any more. */
export function* rememberedBelow({ store }: Machine, container: Container): Generator<Entered> {
  for (const entered of store.registry.entered.values()) if (contains(container, entered.container)) yield entered;
}

/** How the process came in, if it did. */
export function enteredAs({ store, files }: Machine, pid: Pid): Entered | undefined {
  const entered = store.registry.entered.get(pid);
  return entered && isAlive(files, pid, entered.startTime) ? entered : undefined;
}

/** Those that lead are remembered until the container is gone. */
function forgetDead({ store, files }: Machine): void {
  const dead = [...store.registry.entered.values()].filter(
    ({ pid, startTime, by }) => by !== 'state' && !isAlive(files, pid, startTime),
  );
  if (dead.length > 0) store.commit(dead.map(({ pid, container }) => ({ op: 'leave', serial: container.serial, pid })));
}

function isDeadLeader({ files }: Machine, { by, pid, startTime }: Entered): boolean {
  return by === 'state' && !isAlive(files, pid, startTime);
}
