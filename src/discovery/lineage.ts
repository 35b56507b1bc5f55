import type { Pid } from '../ids.ts';
import type { NsSet } from './sets.ts';

/**
 * What events tell before anybody looks: a stage is the time between two moments at which a process's namespaces changed;
 * its children, until they change theirs, are in the same. A look at one of them says which set of namespaces it is.
 */
export interface Stage {
  readonly before: Stage | undefined;
  readonly depth: number;
  /** What a look said. */
  set: NsSet | undefined;
  /** Who was looked at, and when: an event of an earlier moment that is heard of later says that it was in a later stage. */
  by: Pid | undefined;
  atSec: number;
}

/** Processes whose stage is known; the oldest is forgotten. */
export const STAGES_LIMIT = 65_536;

/** Stages that a line is followed up; further up it is forgotten. */
const DEPTH_LIMIT = 64;

/** Knows no files; times are seconds of CLOCK_MONOTONIC, as events have them. */
export class Lineage {
  readonly #stages = new Map<Pid, Stage>();

  get(pid: Pid): Stage | undefined {
    return this.#stages.get(pid);
  }

  /** `now`: the set the maker is in, if it is known from a look only. */
  born(pid: Pid, child: Pid, apart: boolean, now: NsSet | undefined): void {
    const stage = this.#of(pid, now);
    const told = this.#stages.get(child);
    // Of a child that was born apart a second event says that it was born.
    if (!stage || (!apart && told && told.before === stage && !told.set)) return;
    this.#put(child, apart ? after(stage) : stage);
  }

  /** It has other namespaces since `atSec`. */
  changed(pid: Pid, atSec: number, now: NsSet | undefined): void {
    const stage = this.#of(pid, now);
    if (!stage) return;
    if (stage.by === pid && stage.atSec > atSec && stage.set) {
      // What was seen then was what it has since this moment.
      const { set } = stage;
      stage.set = undefined;
      stage.by = undefined;
      set.stage = undefined;
    }
    this.#put(pid, after(stage));
  }

  /** It called setns(2), and is in `set` since; it was before, unless it is known that it was in another one. */
  joined(pid: Pid, set: NsSet, atSec: number): void {
    const stage = this.#stages.get(pid);
    if (stage?.set && stage.set !== set) this.#put(pid, { ...after(stage), set });
    else this.seen(pid, set, atSec);
  }

  /** A look at a process found it in `set`. */
  seen(pid: Pid, set: NsSet, atSec: number): void {
    const stage = this.#stages.get(pid);
    if (!stage || stage.set === set) return;
    if (stage.set !== undefined) {
      // Changed, and the event is not heard of yet, or never comes.
      set.stage ??= { ...after(stage), set };
      return;
    }
    Object.assign(stage, { set, by: pid, atSec });
    set.stage = stage;
  }

  gone(pid: Pid): void {
    this.#stages.delete(pid);
  }

  /** The nearest set before this one, in the line of those that made it; `undefined` if no event told. */
  origin(set: NsSet): NsSet | undefined {
    for (let at = set.stage?.before; at; at = at.before) if (at.set && at.set !== set) return at.set;
    return undefined;
  }

  #of(pid: Pid, now: NsSet | undefined): Stage | undefined {
    const known = this.#stages.get(pid);
    if (known || !now) return known;
    return (now.stage ??= { before: undefined, depth: 0, set: now, by: undefined, atSec: 0 });
  }

  #put(pid: Pid, stage: Stage): void {
    this.#stages.delete(pid);
    this.#stages.set(pid, stage);
    if (this.#stages.size <= STAGES_LIMIT) return;
    for (const oldest of this.#stages.keys()) {
      this.#stages.delete(oldest);
      return;
    }
  }
}

function after(stage: Stage): Stage {
  const before = stage.depth < DEPTH_LIMIT ? stage : { ...stage, before: undefined, depth: 0 };
  return { before, depth: before.depth + 1, set: undefined, by: undefined, atSec: 0 };
}
