import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import type { NamespaceKind } from '../namespaces.ts';
import type { Container, PinnedProcess } from './container.ts';
import type { Machine } from './machine.ts';
import type { Owner } from './owner.ts';

/** What a start is asked for. The container's cgroups are there and empty. */
export interface Order {
  /** The nearest running container around it. */
  readonly outer: Container | undefined;
  /** Its init when it was decided whose the processes are to be: another one, or none, is not what that was decided for. */
  readonly parent: PinnedProcess | undefined;
  /** Kinds of namespaces that were asked for; `undefined`: none in particular. */
  readonly kinds: readonly NamespaceKind[] | undefined;
  /** Whose its processes are to be, if not the daemon's user's. */
  readonly owner: Owner | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface Begun {
  readonly init: PinnedProcess;
  readonly kinds: readonly NamespaceKind[];
}

/** A way in which a container comes to its first process. One more is one more file, and a row in ways.ts. */
export interface Way {
  /** Whether containers like this one start, or were started, in this way. */
  isOf(container: Container): boolean;
  /** Whether the init is a program of ours: it takes commands, and signals are not for it. */
  readonly isInitOurs: boolean;
  /** Throws, with the remedy, what stands in the way of a start, before anything is made for it. */
  refuse?(machine: Machine, container: Container, order: Order, what: string): void;
  /** Gives it its init. Throws the step that failed; the caller then kills what there is. */
  begin(machine: Machine, container: Container, order: Order): Promise<Begun>;
  /** Whether a process of its cgroup is its init, for a daemon whom nobody tells. */
  isInit(files: FileAccess, pid: Pid): boolean;
  /** Its last process is gone: what is to be done on the machine. Never throws. */
  ended?(machine: Machine, container: Container): Promise<void>;
}
