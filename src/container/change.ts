import type { Pid, Serial } from '../ids.ts';
import type { NamespaceKind } from '../namespaces.ts';
import type { Timespec } from '../time.ts';
import type { CheckpointState, Phase, PinnedProcess } from './container.ts';
import type { EnteredBy } from './entered.ts';

/**
 * All that can happen to the registry. The same values are journaled, replayed by the next daemon, and posted to the
 * serving thread's replica, so there is one meaning of each: `Registry.apply`.
 */
export type Change =
  | {
      readonly op: 'make';
      readonly serial: Serial;
      readonly parent: Serial;
      readonly name: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      /** Made by a process in the parent. */
      readonly inside?: boolean;
      readonly at: Timespec;
    }
  /** A set of namespaces that somebody made was seen; in a rewritten journal, `adopted` says that it was named. */
  | {
      readonly op: 'found';
      readonly serial: Serial;
      readonly parent: Serial;
      readonly name: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      readonly key: string;
      readonly mark: string;
      readonly adopted?: boolean;
      readonly init?: PinnedProcess;
      readonly kinds: readonly NamespaceKind[];
      readonly at: Timespec;
    }
  /** Another process of a discovered container is its first one now. */
  | {
      readonly op: 'pin';
      readonly serial: Serial;
      readonly init: PinnedProcess;
      readonly key: string;
      readonly mark: string;
      readonly at: Timespec;
    }
  /** A discovered container is no more. */
  | { readonly op: 'lost'; readonly serial: Serial; readonly parent: Serial; readonly at: Timespec }
  | { readonly op: 'unshown'; readonly serial: Serial; readonly count: number }
  | {
      readonly op: 'move';
      readonly serial: Serial;
      readonly parent: Serial;
      readonly name: string;
      readonly at: Timespec;
    }
  | { readonly op: 'exchange'; readonly serial: Serial; readonly other: Serial; readonly at: Timespec }
  /** `parent`: nobody asked for it by its name, which the kernel may still have. */
  | { readonly op: 'drop'; readonly serial: Serial; readonly parent?: Serial; readonly at: Timespec }
  | {
      readonly op: 'attr';
      readonly serial: Serial;
      readonly mode?: number;
      readonly uid?: number;
      readonly gid?: number;
      readonly atime?: Timespec;
      readonly mtime?: Timespec;
      readonly at: Timespec;
    }
  /** Its cgroup is about to be moved, frozen meanwhile; or is not any more. A `move` and an `exchange` end it too. */
  | { readonly op: 'moving'; readonly serial: Serial; readonly moving: boolean }
  /** Kinds asked for, for the first start; in a rewritten journal also those of a life that is over. */
  | { readonly op: 'want'; readonly serial: Serial; readonly kinds: readonly NamespaceKind[] | undefined }
  | {
      readonly op: 'start';
      readonly serial: Serial;
      readonly init: PinnedProcess;
      readonly kinds: readonly NamespaceKind[];
      readonly at: Timespec;
    }
  /** It is started from an OCI bundle from now on, or, without one, from nothing. */
  | { readonly op: 'bundle'; readonly serial: Serial; readonly bundle?: string; readonly at: Timespec }
  | { readonly op: 'phase'; readonly serial: Serial; readonly phase: Phase; readonly at: Timespec }
  | { readonly op: 'checkpoint'; readonly serial: Serial; readonly is: CheckpointState }
  /** The init is gone; `status` is absent where nobody saw how. */
  | { readonly op: 'exit'; readonly serial: Serial; readonly status?: number; readonly at: Timespec }
  | { readonly op: 'clear'; readonly serial: Serial; readonly what: 'exit' | 'error' }
  | { readonly op: 'error'; readonly serial: Serial; readonly text: string; readonly at: Timespec }
  /** A process is about to enter, or has; and is gone, or not to be spoken of. */
  | {
      readonly op: 'enter';
      readonly serial: Serial;
      readonly pid: Pid;
      readonly startTime: number;
      readonly by: EnteredBy;
      readonly begun?: boolean;
    }
  | { readonly op: 'leave'; readonly serial: Serial; readonly pid: Pid }
  /** What was unlinked is not being removed after all: somebody creates control entries. */
  | { readonly op: 'reveal'; readonly serial: Serial }
  /** Only in a rewritten journal: serials below this one were given. */
  | { readonly op: 'next'; readonly serial: Serial };

/** Changes that happen together or not at all. */
export interface Commit {
  readonly changes: readonly Change[];
  /** Number of the kernel's request that this answers, so that the request is not done twice when it is sent again. */
  readonly done?: number;
}
