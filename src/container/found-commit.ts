import type { SetKey } from '../discovery/key.ts';
import type { Member } from '../discovery/sets.ts';
import { FsError } from '../errno.ts';
import { now } from '../time.ts';
import type { Change } from './change.ts';
import type { Container, PinnedProcess } from './container.ts';
import type { Machine } from './machine.ts';

/** What discovery has of the machine. */
export type FoundDoors = Pick<Machine, 'files' | 'kernel' | 'store' | 'events' | 'log' | 'declaredOf'>;

/** Writes down what was discovered. Whether there was room for it. */
export function commitFound({ store, log }: FoundDoors, change: Change): boolean {
  try {
    store.commit([change]);
    return true;
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    log.warn({ change: change.op, err: error }, 'cannot write down what was discovered');
    return false;
  }
}

export interface Pin {
  readonly key: SetKey;
  readonly init: Member;
  readonly mark: string;
}

/** From now on this is the first process of a discovered container. */
export function pin(doors: FoundDoors, { serial }: Container, { key, init, mark }: Pin): void {
  commitFound(doors, { op: 'pin', serial, init: pinned(init), key, mark, at: now() });
}

export function pinned({ pid, startTime }: Member): PinnedProcess {
  return { pid, startTime };
}
