import type { Pid } from '../ids.ts';
import type { CallerSight, Sight } from '../proc/sight.ts';
import { now } from '../time.ts';
import { subtree, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** What discovery tells the verbs; each answer is by a look at /proc, not from memory. */
export interface Discoverer {
  /** Fulfilled when all there is was looked at once; begins with it if nobody has. */
  ready(): Promise<void>;
  /** The deepest container of a process whose cgroup is that of `declared`. `sight`: of one that is no thread, from just now. */
  within(pid: Pid, declared: Container, sight?: Sight): Container;
  /** The same of a thread that waits for us, which was looked at. */
  withCaller(thread: Pid, declared: Container, sight: CallerSight): Container;
  /** Living processes of discovered containers at and below this one, those of sets that are not shown yet included. */
  processesBelow(container: Container): Promise<Pid[]>;
  /** Looks at whom nobody was told of, and at who has the pid of somebody that was known, by a list of all there are. */
  lookAround(): Promise<void>;
  /** Whether the process, which was one of the above, still is one; for who is about to signal it. */
  isBelow(pid: Pid, container: Container): boolean;
  /** Living processes of this discovered container alone. */
  processesOf(container: Container): Promise<Pid[]>;
}

/** Without discovery. */
export const NO_DISCOVERY: Discoverer = {
  ready: () => Promise.resolve(),
  within: (_, declared) => declared,
  withCaller: (_, declared) => declared,
  processesBelow: () => Promise.resolve([]),
  lookAround: () => Promise.resolve(),
  isBelow: () => false,
  processesOf: () => Promise.resolve([]),
};

/** Nobody looks any more: what a former daemon discovered goes, unless containers that were made here are in it. */
export function forgetFound({ store }: Machine): void {
  for (const { serial, parent, found, children } of [...subtree(store.registry.root)].reverse()) {
    if (found && parent && children.size === 0) {
      store.commit([{ op: 'lost', serial, parent: parent.serial, at: now() }]);
    }
  }
}
