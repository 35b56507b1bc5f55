import type { Pid } from '../ids.ts';
import { agree, partsOf, type SetKey } from './key.ts';
import { isThere, type NsSet } from './sets.ts';
import type { Stage } from './stage.ts';

/** The set in which another one was made, as far as events and looks tell. */
export interface Origin {
  /** The nearest that is there; `undefined` if nothing tells. */
  readonly set: NsSet | undefined;
  /** Processes that may be in a nearer one, and have to be looked at first. */
  readonly unknown: readonly Pid[];
}

/** `all`: every set that is there. */
export function originOf(set: NsSet, all: () => Iterable<NsSet>): Origin {
  const { stage } = set;
  if (!stage) return { set: undefined, unknown: [] };
  let { fresh, foreign } = stage;
  const unknown: Pid[] = [];
  for (let at = stage.before; at; at = at.before) {
    const found = setOf(at, set, fresh);
    if (found) return { set: foreign === 0 ? found : (joined(found, set, fresh, all) ?? found), unknown };
    for (const each of [at, ...at.rejoined]) if (!each.set || !isThere(each.set)) unknown.push(...each.pids);
    fresh |= at.fresh;
    foreign |= at.foreign & ~fresh;
  }
  return { set: undefined, unknown };
}

/** The set that a stage is, if another one than `made`, which came of it with new namespaces of the kinds `fresh`. */
function setOf({ set, moved, rejoined }: Stage, made: NsSet, fresh: number): NsSet | undefined {
  const isOther = (other: NsSet) => other !== made && isThere(other);
  if (set === made) return undefined;
  if (set && isThere(set)) {
    const later = moved?.set;
    return later && isOther(later) && !isNearer(set.key, later.key, made.key) ? later : set;
  }
  // A set that all have left, and that is there again by who had not been seen in it.
  const isSame = ({ key }: NsSet) => (set ? set.key === key : agree(key, made.key, fresh));
  for (const other of rejoined) if (other.set && isOther(other.set) && isSame(other.set)) return other.set;
  return undefined;
}

/** Whether what has `made` rather came of `one` than of `other`. */
function isNearer(one: SetKey, other: SetKey, made: SetKey): boolean {
  const [ones, others, its] = [partsOf(one), partsOf(other), partsOf(made)];
  return its.some((part, index) => part === ones[index] && part !== others[index]);
}

/**
 * Who was in `found` called setns(2), was seen by nobody there, and then made `fresh` namespaces: if what came of that has
 * others that are not those of `found`, it is the set that has them which was joined.
 */
function joined(found: NsSet, made: NsSet, fresh: number, all: () => Iterable<NsSet>): NsSet | undefined {
  if (agree(found.key, made.key, fresh)) return undefined;
  let first: NsSet | undefined;
  for (const set of all()) {
    if (set === made || !isThere(set) || !agree(set.key, made.key, fresh)) continue;
    if (!first || set.seenAtMs < first.seenAtMs) first = set;
  }
  return first;
}
