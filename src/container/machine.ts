import type { Hierarchy } from '../cgroup/hierarchy.ts';
import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import type { Instance } from '../instance.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Tracer } from '../kernel/tracers.ts';
import type { Log } from '../log.ts';
import type { Census } from '../proc/census.ts';
import type { Container } from './container.ts';
import type { Events } from './events.ts';
import type { Discoverer } from './found.ts';
import type { Launcher } from './launcher.ts';
import type { Locks } from './locks.ts';
import type { Store } from './store.ts';
import type { UserLimits } from './user-limits.ts';

/** What the verbs work on: one daemon's containers, and its doors to the kernel. */
export interface Machine {
  readonly instance: Instance;
  readonly store: Store;
  readonly events: Events;
  readonly locks: Locks;
  readonly launcher: Pick<Launcher, 'start' | 'restore' | 'bundle' | 'inits'>;
  readonly kernel: Kernel;
  readonly tracer: Tracer;
  readonly files: FileAccess;
  readonly log: Log;
  /** Absolute path of the cgroup directory that holds all containers' ones. */
  readonly cgroupBase: string;
  readonly hierarchy: Hierarchy;
  /** Absolute path of a container's cgroup directory; its own processes live in the leaf `own` of it. */
  readonly cgroupOf: (container: Container) => string;
  /** Inode number of the container's directory in the tree. */
  inodeOf(container: Container): number;
  /** The deepest container a process is in; `undefined` if the process is gone. */
  containerOf(pid: Pid): Container | undefined;
  /** The declared container of a process, by its text of /proc/PID/cgroup. */
  declaredOf(cgroups: string): Container;
  /** What is known of containers that were not made here. */
  readonly found: Discoverer;
  /** What one user may have in root's tree. */
  readonly userLimits: UserLimits;
  /** How many processes of the machine share each namespace; may be some seconds old. */
  readonly census: () => Promise<Census>;
}
