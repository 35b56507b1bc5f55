import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { isThere, type NsSet } from './sets.ts';

/**
 * A time in which a process, and such of its children as did likewise, kept their namespaces. Events tell when one begins
 * and what it came of; which set of namespaces it is, a look at one of its processes tells.
 */
export interface Stage {
  /** In the order in which they began; 0 if that was before anybody listened. */
  readonly number: number;
  /** What it came of, but for what nothing is to be known of any more. */
  before: Stage | undefined;
  /** CLONE_NEW* bits of the namespaces that are not those of `before`, but were made new. */
  fresh: number;
  /** Of those that may be another's: setns(2) was called. */
  foreign: number;
  depth: number;
  /** What a look said. */
  set: NsSet | undefined;
  /** Processes that are in it. */
  readonly pids: Set<Pid>;
  /** Stages that came of this one by setns(2) alone: if that changed nothing, they are the same set. */
  rejoined: Stage[];
  /** The one that this is so to. */
  readonly root: Stage | undefined;
  /** What its only process is in since, without an event that said so. */
  moved: Stage | undefined;
}

/** Stages that a line is followed up; further up it is forgotten. */
const DEPTH_LIMIT = 1024;

/** How a stage differs from the one it came of. */
export interface Step {
  readonly fresh: number;
  readonly foreign: number;
}

/** One that nothing is known to have been before. */
export function firstStage(): Stage {
  const nothing = { before: undefined, set: undefined, root: undefined, moved: undefined };
  return { ...nothing, number: 0, fresh: 0, foreign: 0, depth: 0, pids: new Set(), rejoined: [] };
}

/** One that begins as a process leaves `from`, or has a child there. */
export function stageAfter(from: Stage, number: number, { fresh, foreign }: Step): Stage {
  const isRejoin = foreign !== 0 && fresh === 0;
  const root = isRejoin ? (from.root ?? from) : undefined;
  const stage: Stage = { ...firstStage(), number, fresh, foreign, before: from, root };
  if (root && root.set?.serial !== ROOT_SERIAL) {
    root.rejoined = root.rejoined.filter((other) => !isPassed(other));
    root.rejoined.push(stage);
  }
  shorten(from);
  shorten(stage);
  stage.depth = (stage.before?.depth ?? -1) + 1;
  if (stage.depth > DEPTH_LIMIT) Object.assign(stage, { before: undefined, depth: 0 });
  return stage;
}

/** Nobody is there of whom a look could say which set it is, or the set is gone. */
function isPassed(stage: Stage): boolean {
  const { pids, set, rejoined, before } = stage;
  if (pids.size > 0) return false;
  if (set && isThere(set)) return before?.set === set;
  return rejoined.every(isPassed);
}

function shorten(stage: Stage): void {
  for (let { before } = stage; before && isPassed(before); { before } = stage) {
    stage.foreign |= before.foreign & ~stage.fresh;
    stage.fresh |= before.fresh;
    stage.before = before.before;
  }
}
