import type { Pid } from '../ids.ts';
import type { NsSet } from './sets.ts';
import { firstStage, stageAfter, type Stage, type Step } from './stage.ts';
import { NEW_NAMESPACE, type TimedEvent } from './trace-line.ts';

/** Tasks whose stage is known; beyond it the oldest is forgotten. */
export const TASKS_LIMIT = 65_536;

/** Clocks and roundings differ by so much. */
export const CLOCK_SLACK_SEC = 0.000_01;

/** What events say of a task. */
interface Task {
  stage: Stage;
  /** When it came into that. */
  sinceSec: number;
  /** It called what may change its namespaces. */
  changing: Step | undefined;
  /** The process that it is a thread of; `undefined` for its first. */
  readonly leader: Pid | undefined;
}

/** What a look at a process said, and when that was. */
export interface Sighting {
  readonly pid: Pid;
  /** Clock ticks since boot. */
  readonly startTime: number;
  readonly set: NsSet;
  readonly fromSec: number;
  readonly toSec: number;
}

/** `look again`: it cannot be said now. `other set`: that set is no more, and its numbers are another one's. */
type Verdict = 'told' | 'look again' | 'other set';

/**
 * Which stage every task is in, by events alone. `exact`: all that changes namespaces is heard of, so that children share
 * their maker's stage; else each process has one of its own, since it may have changed its namespaces unheard.
 */
export class Lineage {
  exact = false;
  /** Who was started later was heard of: clock ticks since boot. */
  #sinceTicks = 0;
  readonly #tasks = new Map<Pid, Task>();
  /** Of each process the threads that are not its first. */
  readonly #threads = new Map<Pid, Set<Pid>>();
  #count = 0;

  /** An event; they come in the order in which things happened. */
  apply(event: TimedEvent): void {
    if (event.kind === 'mark') return;
    const pid = event.pid as Pid;
    switch (event.kind) {
      case 'born':
        this.#born(pid, event);
        return;
      case 'changing': {
        const { fresh, joins } = event;
        this.#taskOf(pid).changing = joins ? { fresh: 0, foreign: fresh } : { fresh, foreign: 0 };
        return;
      }
      case 'changed': {
        const task = this.#tasks.get(pid);
        if (task?.changing && event.done) this.#move(pid, task, this.#after(task.stage, task.changing), event.atSec);
        if (task) task.changing = undefined;
        return;
      }
      case 'executed':
        this.#executed(pid, event.atSec);
        return;
      case 'ended':
        this.drop(pid);
        return;
      default:
    }
  }

  /** Only events from now on count: some were lost, or there were none. What came of what before stays known. */
  listen(nowTicks: number): void {
    this.#sinceTicks = nowTicks;
    for (const [pid, { stage }] of this.#tasks) stage.pids.delete(pid);
    this.#tasks.clear();
    this.#threads.clear();
  }

  drop(pid: Pid): void {
    const task = this.#tasks.get(pid);
    if (!task) return;
    task.stage.pids.delete(pid);
    this.#tasks.delete(pid);
    if (task.leader === undefined) return;
    const threads = this.#threads.get(task.leader);
    threads?.delete(pid);
    if (threads?.size === 0) this.#threads.delete(task.leader);
  }

  /** Nothing will be seen of it. What it does is heard all the same: it may have been before it ended. */
  hide(pid: Pid): void {
    this.#tasks.get(pid)?.stage.pids.delete(pid);
  }

  /** Whether a look at the process is waited for. */
  awaits(pid: Pid): boolean {
    return this.#tasks.get(pid)?.stage.pids.has(pid) === true;
  }

  /** Whether a look that says this would tell anything. */
  needs(pid: Pid, set: NsSet): boolean {
    return this.#tasks.get(pid)?.stage.set !== set;
  }

  /** Which stage a set is, by a look; all events before it are known. */
  bind({ pid, startTime, set, fromSec }: Sighting): Verdict {
    const task = this.#tasks.get(pid);
    if (!task) {
      // Its end was told already; for a moment it is still to be seen.
      if (startTime > this.#sinceTicks) return 'told';
      this.#put(pid, { stage: named(firstStage(), set), sinceSec: 0, changing: undefined, leader: undefined });
      return 'told';
    }
    if (set.isDoubtful || task.changing || task.sinceSec + CLOCK_SLACK_SEC >= fromSec) return 'look again';
    const { stage } = task;
    if (!stage.set && isYounger(stage, set)) return 'other set';
    if (!stage.set || stage.set.key === set.key) {
      named(stage, set);
    } else {
      // It has changed unheard.
      this.#move(pid, task, this.#after(stage, { fresh: NEW_NAMESPACE, foreign: 0 }), task.sinceSec);
      named(task.stage, set);
      if (stage.pids.size === 0) stage.moved = task.stage;
    }
    return 'told';
  }

  #born(pid: Pid, { child, fresh, thread, atSec }: TimedEvent & { kind: 'born' }): void {
    const maker = this.#taskOf(pid);
    const born = child as Pid;
    const mistaken = this.#tasks.get(born)?.stage;
    // It was looked at before its birth was told.
    if (mistaken?.number === 0 && mistaken.set?.stage === mistaken) mistaken.set.stage = undefined;
    this.drop(born);
    const isApart = fresh !== 0 || (!this.exact && !thread);
    const stage = isApart ? this.#after(maker.stage, { fresh, foreign: 0 }) : maker.stage;
    const leader = thread ? (maker.leader ?? pid) : undefined;
    this.#put(born, { stage, sinceSec: atSec, changing: undefined, leader });
  }

  /** If a thread that was not its process's first called execve(2), it alone is left, and has the first one's pid. */
  #executed(pid: Pid, atSec: number): void {
    if (this.#tasks.has(pid)) return;
    for (const thread of this.#threads.get(pid) ?? []) {
      const stage = this.#tasks.get(thread)?.stage;
      this.drop(thread);
      if (stage) this.#put(pid, { stage, sinceSec: atSec, changing: undefined, leader: undefined });
      return;
    }
  }

  /** One of whom nothing was heard is in a stage that began before. */
  #taskOf(pid: Pid): Task {
    const known = this.#tasks.get(pid);
    if (known) return known;
    const task = { stage: firstStage(), sinceSec: 0, changing: undefined, leader: undefined };
    this.#put(pid, task);
    return task;
  }

  #after(stage: Stage, step: Step): Stage {
    this.#count += 1;
    return stageAfter(stage, this.#count, step);
  }

  #move(pid: Pid, task: Task, stage: Stage, atSec: number): void {
    task.stage.pids.delete(pid);
    task.stage = stage;
    task.sinceSec = atSec;
    if (task.leader === undefined) stage.pids.add(pid);
  }

  #threadsOf(leader: Pid): Set<Pid> {
    const threads = this.#threads.get(leader) ?? new Set();
    this.#threads.set(leader, threads);
    return threads;
  }

  #put(pid: Pid, task: Task): void {
    this.#tasks.set(pid, task);
    if (task.leader === undefined) task.stage.pids.add(pid);
    else this.#threadsOf(task.leader).add(pid);
    if (this.#tasks.size <= TASKS_LIMIT) return;
    for (const oldest of this.#tasks.keys()) {
      this.drop(oldest);
      return;
    }
  }
}

/** Whether a stage began with namespaces that did not exist yet when the set was seen, where the kernel does not tell. */
function isYounger(stage: Stage, { stage: first, identity }: NsSet): boolean {
  if (!first || first.number >= stage.number || identity?.some((id) => id !== undefined)) return false;
  return stage.fresh !== 0 && stage.foreign === 0;
}

/** A set may have several stages; the first is what it was made in. */
function named(stage: Stage, set: NsSet): Stage {
  stage.set = set;
  if (!set.stage || stage.number < set.stage.number) set.stage = stage;
  return stage;
}
