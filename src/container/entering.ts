import { errnoNumber, FsError } from '../errno.ts';
import type { Call, Tracee } from '../kernel/tracee.ts';
import type { Provided } from '../kernel/tracer-link.ts';
import { accountFor } from '../proc/accounts.ts';
import { factsOf } from '../proc/facts.ts';
import type { NamespaceKind } from '../namespaces.ts';
import type { Sight } from '../proc/sight.ts';
import { mayTraceAnybody } from '../proc/tracing-rule.ts';
import { anyMoveOf, join as joinCgroup, moveBack, moveOf, procsOf, type CgroupMove } from './enter-cgroup.ts';
import {
  check,
  checkContainer,
  checkPhase,
  explain,
  initSeenBy,
  isNobodyThere,
  notYetIn,
  wantedFrom,
  wantedOf,
  type Asker,
  type Asking,
  type Entry,
  type Wanted,
} from './enter-checks.ts';
import type { EnteredBy } from './entered.ts';
import { forget, knownOf, type KnownNamespaces } from './init-namespaces.ts';
import { joining } from './joining.ts';
import type { Machine } from './machine.ts';
import { recordRefusal } from './refusal.ts';
import type { Starter } from './start.ts';

export interface EnterRequest extends Starter {
  readonly caller: Asker;
}

/** In the journal. `begun`: it was told that it is inside, and may not be. `done`: the request that is done by that. */
export function note(
  { store }: Machine,
  { container, target, startTime }: Entry,
  by: EnteredBy,
  done?: number,
  begun = false,
) {
  store.commit([{ op: 'enter', serial: container.serial, pid: target, startTime, by, begun }], done);
}

export interface Plan {
  readonly entry: Entry;
  readonly by: EnteredBy;
  readonly asker: Asking;
  readonly what: string;
  /** Absent for what a former daemon answered. */
  readonly request: EnterRequest | undefined;
}

/** Ways to join one container that are kept: from so many places; then they are made anew. */
const JOININGS_LIMIT = 64;

interface AtOnce {
  readonly calls: readonly Call[];
  readonly provided: Provided;
  readonly move: CgroupMove | undefined;
}

/** One process on its way into one container. */
export class Entering {
  readonly #machine: Machine;
  readonly #plan: Plan;
  /** Fulfilled when the target, which is the caller, has to be answered before it can stop. */
  readonly answerable: Promise<void>;
  #answer: () => void = () => undefined;
  #isAnswered = false;

  constructor(machine: Machine, plan: Plan) {
    this.#machine = machine;
    this.#plan = plan;
    this.answerable = new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** `found`: the target, looked at in this very turn. */
  async run(found?: Sight): Promise<void> {
    const { entry, asker, what, request } = this.#plan;
    checkPhase(entry.container, what);
    const looked = check(this.#machine, entry, asker, what, { tracer: 0, joined: false, found });
    const initPid = initSeenBy(this.#machine, entry, looked, what);
    const isSelf = request !== undefined && asker.credentials.tgid === Number(entry.target);
    if (isSelf) this.#note(true, request);
    let move: CgroupMove | undefined;
    let tracee: Tracee | undefined;
    let isIn = false;
    const join = async (sight: Sight) => {
      const next = await anyMoveOf(this.#machine, entry, sight);
      if (next) joinCgroup(this.#machine, next, entry, what);
      move = next;
    };
    try {
      // Who waits for the answer cannot stop before he has it, but does nothing else. Anybody else stands still before he
      // is moved: what he forks meanwhile would stay in the cgroup, whatever becomes of him.
      if (isSelf) {
        await join(looked);
        tracee = this.#tracee();
        await tracee.seize(true);
        this.#isAnswered = true;
        this.#answer();
      } else {
        const atOnce = this.#atOnce(looked, initPid);
        tracee = this.#tracee();
        isIn = atOnce !== undefined && (await this.#tryAtOnce(tracee, atOnce));
        if (!atOnce) await tracee.seize(false);
      }
      if (!isIn) {
        // While it comes to its stop, which takes as long.
        const wanted = this.#wanted();
        await tracee.stopped();
        const found = this.#checkAgain(tracee, isSelf);
        if (!isSelf) await join(found);
        await this.#bringIn(tracee, { found, initPid, wanted });
      }
    } catch (error) {
      const refusal = error instanceof FsError ? explain(error, entry, what) : undefined;
      if (move) moveBack(this.#machine, move, entry);
      await tracee?.end(this.#isAnswered ? errnoNumber(refusal?.errno ?? 'EIO') : undefined);
      if (isSelf) this.#machine.store.commit([{ op: 'leave', serial: entry.container.serial, pid: entry.target }]);
      if (!refusal || !this.#isAnswered) throw refusal ?? error;
      recordRefusal(this.#machine, entry.container, refusal, request?.caller);
      return;
    }
    this.#note(false, isSelf ? undefined : request);
    // After the answer, and before the next request.
    setImmediate(() => {
      this.#machine.events.emit(entry.container, 'entered');
    });
  }

  #tracee(): Tracee {
    const { files, tracer } = this.#machine;
    const { entry, request } = this.#plan;
    return tracer.take(entry.target, accountFor(files, request?.caller.uid ?? 0));
  }

  /** Of a container whose init lives. */
  #wanted(): readonly Wanted[] {
    const { entry, what } = this.#plan;
    checkContainer(this.#machine, entry.container, what);
    return wantedOf(this.#machine, entry.container, entry.kinds);
  }

  /**
   * What is to be done once the target stands still, if whether it may be follows from what the tracer can see by itself:
   * `seen`, and the asker, who may trace anybody. `undefined` otherwise.
   */
  #atOnce(seen: Sight, initPid: number): AtOnce | undefined {
    const { entry, asker, what } = this.#plan;
    const { found } = entry.container;
    if ((found && entry.kinds === undefined) || !mayTraceAnybody(this.#machine, asker.credentials)) return undefined;
    const known = knownOf(this.#machine.files, entry.container);
    const missing = notYetIn(seen, wantedFrom(known?.links, entry.kinds));
    if (!known || missing.length === 0) return undefined;
    const becomesRoot = missing.includes('user') && isNobodyThere(this.#machine, entry, seen, what);
    const move = moveOf(this.#machine, entry, seen);
    const provided = { facts: [...known.facts, ...factsOf(seen)], joins: move && procsOf(move.to) };
    return { calls: joiningOf(known, initPid, missing, becomesRoot), provided, move };
  }

  /** False if something has changed; it stands still then. */
  async #tryAtOnce(tracee: Tracee, { calls, provided, move }: AtOnce): Promise<boolean> {
    try {
      const isDone = await tracee.seizeAndCall(calls, provided);
      if (!isDone) forget(this.#plan.entry.container);
      return isDone;
    } catch (error) {
      if (move) moveBack(this.#machine, move, this.#plan.entry);
      throw error;
    }
  }

  /** While the target stands still: all is asked again. */
  #checkAgain({ tracer }: Tracee, isSelf: boolean): Sight {
    const { entry, asker, what } = this.#plan;
    const joined = isSelf && entry.kinds === undefined;
    const found = check(this.#machine, entry, asker, what, { tracer, joined });
    checkContainer(this.#machine, entry.container, what);
    return found;
  }

  async #bringIn(
    tracee: Tracee,
    { found, initPid, wanted }: { readonly found: Sight; readonly initPid: number; readonly wanted: readonly Wanted[] },
  ): Promise<void> {
    const { entry, what } = this.#plan;
    const missing = notYetIn(found, wanted);
    const becomesRoot = missing.includes('user') && isNobodyThere(this.#machine, entry, found, what);
    if (missing.length > 0) await tracee.call(joining(initPid, missing, becomesRoot));
    else await tracee.end();
  }

  #note(begun: boolean, request: EnterRequest | undefined): void {
    note(this.#machine, this.#plan.entry, this.#plan.by, request?.unique, begun);
  }
}

function joiningOf(
  { joinings }: KnownNamespaces,
  initPid: number,
  missing: readonly NamespaceKind[],
  becomesRoot: boolean,
): readonly Call[] {
  const key = `${initPid} ${becomesRoot} ${missing.join()}`;
  const known = joinings.get(key);
  if (known) return known;
  const calls = joining(initPid, missing, becomesRoot);
  if (joinings.size >= JOININGS_LIMIT) joinings.clear();
  joinings.set(key, calls);
  return calls;
}
