import { setTimeout as sleep } from 'node:timers/promises';
import type { FileAccess } from '../files.ts';
import type { Pid, Serial } from '../ids.ts';
import { forEachPaced } from '../pace.ts';
import { allPids, allPidsMeanwhile } from '../proc/census.ts';
import { PidWatch } from '../proc/scan.ts';
import type { Sight } from '../proc/sight.ts';
import type { SetKey } from './key.ts';
import { Lineage } from './lineage.ts';
import { Looker } from './looker.ts';
import { Newcomers, YOUNG_MS } from './newcomers.ts';
import { originOf, type Origin } from './origin.ts';
import { Renewal, type RenewalOptions } from './renewal.ts';
import { Sets, type Member, type NsSet } from './sets.ts';
import { Sightings } from './sightings.ts';
import { Sweep, SWEPT_PER_ROUND } from './sweep.ts';
import type { TraceEvent } from './trace-line.ts';

/** When a process that was seen is looked at again, in milliseconds since it was first: namespaces may be made late. */
const LOOKS_MS: readonly number[] = [50, 150, 350, 750, 1_500, 3_000];

/** Processes looked at in one round; the others wait for the next. */
export const READS_PER_ROUND = 512;

/** Of more young ones somebody is due soon, without a look at each. */
const FEW_YOUNG = 64;

/** How long the first picture waits for events of what happened before it. */
const EVENTS_PAUSE_MS = 500;

export interface ObserverOptions {
  readonly files: FileAccess;
  readonly machine: SetKey;
  readonly root: Serial;
  /** Whether a process that was looked at is known to make no namespaces any more. */
  readonly isSteady: (member: Member) => boolean;
  /** Time of processors that a process has used, in nanoseconds; `undefined` if nobody tells. */
  readonly timeOf: (pid: Pid) => number | undefined;
  /** See {@link RenewalOptions}. */
  readonly identityOf: RenewalOptions['identityOf'];
}

/** Keeps `sets` as /proc has it, by looking at little at a time. The caller says when, and what time it is. */
export class Observer {
  readonly sets: Sets;
  readonly #watch: PidWatch;
  readonly #looker: Looker;
  readonly #files: FileAccess;
  readonly #newcomers = new Newcomers();
  #young = new Set<Member>();
  readonly #sweep: Sweep;
  readonly #renewal: Renewal;
  readonly #timeOf: (pid: Pid) => number | undefined;
  readonly #lineage = new Lineage();
  readonly #sightings = new Sightings(this.#lineage);
  #askForMark: (() => void) | undefined;
  /** An event was heard, or a task came or went, since the last round began. */
  #isStirred = true;
  readonly #isSteady: (member: Member) => boolean;

  constructor({ files, machine, root, isSteady, timeOf, identityOf }: ObserverOptions) {
    this.#isSteady = isSteady;
    this.#files = files;
    this.#timeOf = timeOf;
    this.#sweep = new Sweep(() => this.sets.members(), timeOf);
    this.#watch = new PidWatch(files);
    this.sets = new Sets(machine, root);
    const onlooker = {
      met: (member: Member, nowMs: number) => {
        if (!isSteady(member)) this.#rejuvenate(member, nowMs);
      },
      saw: (process: Pick<Member, 'pid' | 'startTime'>, set: NsSet, fromSec: number) => {
        if (this.isTracing) this.#sightings.add(process, set, fromSec);
      },
      missed: (pid: Pid) => {
        if (this.isTracing) this.#sightings.addMissing(pid);
      },
    };
    const doubted = (pid: Pid) => this.#sightings.again.add(pid);
    this.#renewal = new Renewal({ files, sets: this.sets, identityOf, isSteady, doubted });
    this.#looker = new Looker({ files, sets: this.sets, renewal: this.#renewal, onlooker });
  }

  /** Our own helpers, of whom nothing is to be seen. */
  get ignored(): Set<Pid> {
    return this.#looker.ignored;
  }

  /** Events are heard of. */
  get isTracing(): boolean {
    return this.#askForMark !== undefined;
  }

  /** Every change of namespaces is heard of. */
  get exact(): boolean {
    return this.isTracing && this.#lineage.exact;
  }

  /**
   * Until when a round can wait unless an event comes: who comes would be heard of, and nobody is to be looked at but the old
   * ones in turns. -Infinity if it cannot.
   */
  get quietUntilMs(): number {
    const isBusy =
      this.#isStirred || this.#newcomers.isOverrun || this.#sightings.again.size > 0 || this.#sightings.size > 0;
    if (!this.isTracing || isBusy || this.#young.size > FEW_YOUNG) return -Infinity;
    return Math.min(this.#newcomers.nextDueMs, ...Array.from(this.#young, ({ dueMs }) => dueMs));
  }

  /** Rounds in which all processes are asked once whether they ran, if few did. */
  get roundsPerTurn(): number {
    return this.sets.size / SWEPT_PER_ROUND;
  }

  /** From now on nothing is missed, with `exact` no change either; `askForMark` makes that an event comes. */
  beginTracing(exact: boolean, askForMark: () => void): void {
    this.#lineage.exact = exact;
    this.#askForMark = askForMark;
    this.#watch.distrust();
    this.#sightings.listen();
  }

  endTracing(): void {
    this.#askForMark = undefined;
    this.#watch.distrust();
    this.#sightings.listen();
    this.ignored.clear();
  }

  /** The first picture: everything there is. */
  async survey(nowMs: number): Promise<void> {
    this.#watch.distrust();
    this.#watch.news(nowMs, this.isTracing);
    await forEachPaced(await allPidsMeanwhile(this.#files), (pid) => {
      if (!this.sets.member(pid)) this.look(pid, nowMs);
    });
    this.#young.clear();
    this.#wantMark();
  }

  /** Waits until all is heard that happened before the last look. */
  async heardAll(): Promise<void> {
    const until = performance.now() + EVENTS_PAUSE_MS;
    while (this.isTracing && this.#sightings.size > 0 && performance.now() < until) await sleep(1);
  }

  /**
   * Looks at what has become due. Answers whether any task of the machine came or went since the last round. `rounds`: of so
   * many it is the last, the others were left out.
   */
  async round(nowMs: number, rounds = 1): Promise<boolean> {
    this.#isStirred = false;
    if (this.#newcomers.wantsList()) this.#watch.distrust();
    const { candidates, wantsAll, stirred } = this.#watch.news(nowMs, this.isTracing);
    this.#isStirred ||= stirred;
    for (const set of this.#sightings.ended) if (set.members.size > 0) this.#renewal.renew(set, nowMs);
    this.#sightings.ended.clear();
    for (const pid of wantsAll ? await this.#newOnes(nowMs) : candidates) this.#newcomers.add(pid, nowMs);
    const due = [...this.#again(READS_PER_ROUND / 2), ...this.#newcomers.take(nowMs, READS_PER_ROUND / 2)];
    await forEachPaced(due, (pid) => {
      this.look(pid, nowMs);
    });
    await forEachPaced(this.#youngDue(nowMs, READS_PER_ROUND - due.length), (member) => {
      this.#lookAgain(member, nowMs);
    });
    await forEachPaced(this.#sweep.next(rounds), (member) => {
      this.#looker.glance(member, nowMs);
      this.#renewal.ran(member);
    });
    for (const set of this.#renewal.next(rounds)) this.#looker.liveOldest(set, nowMs);
    this.#wantMark();
    return stirred;
  }

  /** What an event tells; events come in the order in which things happened. */
  hear(event: TraceEvent, nowMs: number): void {
    this.#isStirred = true;
    if (event.kind === 'lost') {
      this.#watch.distrust();
      this.#sightings.listen();
      for (const { pid } of this.sets.members()) this.#sightings.again.add(pid);
      return;
    }
    this.#sightings.hear(event);
    if (event.kind === 'born') {
      if (!event.thread) this.#newcomers.add(event.child as Pid, nowMs);
      return;
    }
    // Most do not live until they are due.
    if (event.kind === 'ended') this.#newcomers.delete(event.pid as Pid);
    if (event.kind !== 'executed' && event.kind !== 'changed') return;
    const known = this.sets.member(event.pid as Pid);
    if (!known) return;
    // Heard late: it was before that one was steady.
    if (event.kind === 'executed' && this.#isSteady(known)) return;
    // Twice in a row gives the first ones' numbers again.
    if (event.kind === 'changed' && event.done) this.#renewal.doubt(known);
    this.#rejuvenate(known, nowMs);
  }

  /** It may have made namespaces before it called execve(2): it is looked at like a new one. */
  #rejuvenate(member: Member, nowMs: number): void {
    member.looks = 0;
    member.dueMs = nowMs + (LOOKS_MS[0] ?? 0);
    this.#young.add(member);
  }

  /** Looks at all that is new at once: for who cannot wait. */
  catchUp(nowMs: number): void {
    // Events may come too late for who cannot wait.
    const { candidates, wantsAll } = this.#watch.news(nowMs, false);
    const pids = new Set([...this.#newcomers.takeAll(), ...(wantsAll ? allPids(this.#files) : candidates)]);
    for (const pid of pids) if (!this.sets.member(pid) || wantsAll) this.look(pid, nowMs);
  }

  /** Looks at one process, those above it that are unknown first. `undefined` if there is no such process. */
  look(pid: Pid, nowMs: number, sight?: Sight): Member | undefined {
    const timeNs = sight ? undefined : this.#timeOf(pid);
    const member = this.#looker.look(pid, nowMs, sight);
    if (member && timeNs !== undefined) member.timeNs = timeNs;
    return member;
  }

  /** The set's oldest process that lives and is in it by now; `undefined` if there is none any more. */
  liveOldest(set: NsSet, nowMs: number): Member | undefined {
    return this.#looker.liveOldest(set, nowMs);
  }

  /** Of all there are, those that are not known; who is not there any more is looked for. */
  async #newOnes(nowMs: number): Promise<Pid[]> {
    const all = new Set(await allPidsMeanwhile(this.#files));
    const gone = [...this.sets.members()].filter(({ pid }) => !all.has(pid));
    await forEachPaced(gone, ({ pid }) => this.look(pid, nowMs));
    return [...all].filter((pid) => !this.sets.member(pid));
  }

  /** Processes that changed while they were looked at. */
  #again(limit: number): Pid[] {
    const { again } = this.#sightings;
    const pids = [...again].slice(0, limit);
    for (const pid of pids) again.delete(pid);
    return pids;
  }

  #youngDue(nowMs: number, limit: number): Member[] {
    const due: Member[] = [];
    for (const member of this.#young) {
      if (due.length >= limit) break;
      if (!member.alive) this.#young.delete(member);
      else if (member.dueMs <= nowMs) due.push(member);
    }
    return due;
  }

  #lookAgain(member: Member, nowMs: number): void {
    this.look(member.pid, nowMs);
    member.looks += 1;
    const [before, next] = [LOOKS_MS[member.looks - 1], LOOKS_MS[member.looks]];
    if (next === undefined || before === undefined) this.#young.delete(member);
    else member.dueMs += next - before;
  }

  #wantMark(): void {
    if (this.#sightings.size > 0) this.#askForMark?.();
  }

  /** Age at which a set is shown: those it came of must have been looked at, where all of them are known. */
  get showAfterMs(): number {
    return this.exact ? 2 * YOUNG_MS : YOUNG_MS;
  }

  /** Which set this one was made in, by events. */
  originOf(set: NsSet): Origin {
    return originOf(set, () => this.sets.all());
  }

  /** Whether events that are still to come, or looks, may tell more of where the set came from; looks at once. */
  isBehind(set: NsSet, { unknown }: Origin, nowMs: number): boolean {
    if (!this.isTracing) return false;
    for (const pid of unknown.slice(0, READS_PER_ROUND)) this.look(pid, nowMs);
    const isBehind = unknown.length > 0 || set.stage === undefined;
    if (isBehind) this.#wantMark();
    return isBehind;
  }
}
