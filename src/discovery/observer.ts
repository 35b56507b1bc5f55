import type { FileAccess } from '../files.ts';
import type { Pid, Serial } from '../ids.ts';
import { forEachPaced } from '../pace.ts';
import { PidWatch, readCgroups, readLinks, readProcess, type ProcessReading } from '../proc/scan.ts';
import { Rotation } from '../rotation.ts';
import { isPending, keyOf, type SetKey } from './key.ts';
import { Lineage } from './lineage.ts';
import { Sets, type Member, type NsSet } from './sets.ts';
import type { TraceEvent } from './trace-line.ts';

/** A process is not looked at before it is this old: most do not live that long, and runtimes have stages that do not. */
export const YOUNG_MS = 50;

/** When a process that was seen is looked at again, in milliseconds since it was first: namespaces may be made late. */
const LOOKS_MS: readonly number[] = [50, 150, 350, 750, 1_500, 3_000];

/** Processes looked at in one round; the others wait for the next. */
export const READS_PER_ROUND = 512;

/** Of the old ones, so many are looked at again in a round, in turns: what makes namespaces late and silently is found so. */
export const ROTATED_PER_ROUND = 4;

/** New pids that wait to be looked at. Beyond it /proc is listed once they are fewer. */
export const WAITING_PIDS_LIMIT = 16_384;

/** How far up unknown parents are looked at; the line above is the machine's. */
const ANCESTORS_LIMIT = 64;

interface Waiting {
  readonly pid: Pid;
  readonly dueMs: number;
}

/** Keeps `sets` as /proc has it, by looking at little at a time. The caller says when, and what time it is. */
export class Observer {
  readonly sets: Sets;
  readonly #files: FileAccess;
  readonly #watch: PidWatch;
  #waiting: Waiting[] = [];
  #young = new Set<Member>();
  readonly #rotation = new Rotation(() => this.sets.members());
  readonly #lineage = new Lineage();
  /** Every change of namespaces is heard of. */
  exact = false;
  /** Our own helpers, of whom nothing is to be seen. */
  readonly ignored = new Set<Pid>();

  constructor(files: FileAccess, machine: SetKey, root: Serial) {
    this.#files = files;
    this.#watch = new PidWatch(files);
    this.sets = new Sets(machine, root);
  }

  /** The first picture: everything there is. */
  async survey(nowMs: number): Promise<void> {
    const { candidates } = this.#watch.news(nowMs);
    await forEachPaced(candidates, (pid) => {
      if (!this.sets.member(pid)) this.look(pid, nowMs);
    });
    this.#young.clear();
  }

  /** Something was missed: the next round lists /proc. */
  distrust(): void {
    this.#watch.distrust();
  }

  /** Looks at what has become due. Answers whether any task of the machine came or went since the last round. */
  async round(nowMs: number): Promise<boolean> {
    const news = this.#watch.news(nowMs);
    this.#expect(news.candidates, news.all, nowMs);
    const due = this.#due(nowMs);
    await forEachPaced(due, (pid) => {
      this.look(pid, nowMs);
    });
    await forEachPaced(this.#youngDue(nowMs, READS_PER_ROUND - due.length), (member) => {
      this.#again(member, nowMs);
    });
    await forEachPaced(this.#rotation.next(ROTATED_PER_ROUND), (member) => {
      this.#glance(member, nowMs);
    });
    return news.stirred;
  }

  /** What an event tells; events come in the order in which things happened. */
  hear(event: TraceEvent, nowMs: number): void {
    if (event.kind === 'lost') {
      this.#watch.distrust();
      return;
    }
    const pid = event.pid as Pid;
    const known = this.sets.member(pid);
    const now = known?.alive ? known.set : undefined;
    if (event.kind === 'born') {
      if (!now && !this.#lineage.get(pid)) this.look(pid, nowMs);
      this.#lineage.born(pid, event.child as Pid, event.apart, now ?? this.sets.member(pid)?.set);
      if (this.exact) this.#await(event.child as Pid, nowMs);
      return;
    }
    if (event.kind === 'changed') this.#lineage.changed(pid, event.atSec, now);
    if (event.kind === 'joined') {
      const set = this.look(pid, nowMs)?.set;
      if (set) this.#lineage.joined(pid, set, monotonicSec());
    }
    if (known) this.#rejuvenate(known, nowMs);
  }

  /** It may have made namespaces before it called execve(2): it is looked at like a new one. */
  #rejuvenate(member: Member, nowMs: number): void {
    member.looks = 0;
    member.dueMs = nowMs + (LOOKS_MS[0] ?? 0);
    this.#young.add(member);
  }

  /** Looks at all that is new at once: for who cannot wait. */
  catchUp(nowMs: number): void {
    const news = this.#watch.news(nowMs);
    const pids = new Set([...this.#waiting.map(({ pid }) => pid), ...news.candidates]);
    this.#waiting = [];
    for (const pid of pids) if (!this.sets.member(pid) || news.all) this.look(pid, nowMs);
  }

  /** The set's oldest process that lives and is in it by now; `undefined` if there is none any more. */
  liveOldest(set: NsSet, nowMs: number): Member | undefined {
    for (let member = this.sets.oldest(set); member; member = this.sets.oldest(set)) {
      const now = this.look(member.pid, nowMs);
      if (now === member && member.alive && member.set === set) return member;
      // It is dead, or in another set: it was taken out of this one.
      if (set.members.has(member)) return member;
    }
    return undefined;
  }

  /** Looks at one process, those above it that are unknown first. `undefined` if there is no such process. */
  look(pid: Pid, nowMs: number, depth = 0): Member | undefined {
    const known = this.sets.member(pid);
    const seen = this.ignored.has(pid) ? undefined : readProcess(this.#files, pid);
    if (!seen || this.ignored.has(seen.ppid)) {
      if (known) this.#bury(known);
      else this.#lineage.gone(pid);
      return undefined;
    }
    const same = known?.startTime === seen.startTime ? known : undefined;
    // What events told of the pid is about the one who has it now.
    if (known && !same) this.sets.bury(known);
    if (seen.zombie) {
      if (same) this.sets.died(same);
      return same;
    }
    return this.#place(seen, same, nowMs, depth);
  }

  #place(seen: ProcessReading, same: Member | undefined, nowMs: number, depth: number): Member | undefined {
    const links = readLinks(this.#files, seen.pid);
    const key = links && keyOf(links, seen);
    if (same && (key === undefined || key === same.set.key)) {
      if (key) this.#lineage.seen(seen.pid, same.set, monotonicSec());
      return same;
    }
    const maker = same ? undefined : this.#maker(seen, nowMs, depth);
    // Who may not be looked at is where its maker is.
    const own = key ?? maker?.set.key ?? this.sets.machine.key;
    const from = same
      ? { origin: same.set, orphan: false }
      : { origin: maker && (maker.set.key === own ? maker.origin : maker.set), orphan: isReaper(seen.ppid) };
    const cgroup = own === this.sets.machine.key ? '' : readCgroups(this.#files, seen.pid);
    const orphan = maker !== undefined && maker.set.key === own ? maker.orphan : from.orphan;
    this.#requireAlive(own, nowMs);
    const member = this.sets.place({ ...seen, cgroup }, own, { ...from, orphan }, nowMs);
    if (key) this.#lineage.seen(seen.pid, member.set, monotonicSec());
    if (!same) {
      member.dueMs = nowMs + (LOOKS_MS[0] ?? 0);
      this.#young.add(member);
    }
    return member;
  }

  /** Numbers of namespaces are given again at once: a set whose last process is gone must not be taken for the next one. */
  #requireAlive(key: SetKey, nowMs: number): void {
    const set = this.sets.get(key);
    if (set && set !== this.sets.machine && set.members.size > 0) this.liveOldest(set, nowMs);
  }

  /** The process this one is a child of, looked at if need be. */
  #maker({ ppid }: ProcessReading, nowMs: number, depth: number): Member | undefined {
    if (ppid === 0 || depth > ANCESTORS_LIMIT) return undefined;
    const known = this.sets.member(ppid);
    if (known && !isPending(known.set.key)) return known;
    return this.look(ppid, nowMs, depth + 1);
  }

  #expect(candidates: readonly Pid[], all: readonly Pid[] | undefined, nowMs: number): void {
    if (all) {
      const there = new Set(all);
      for (const member of this.sets.members()) if (!there.has(member.pid)) this.#bury(member);
    }
    const room = WAITING_PIDS_LIMIT - this.#waiting.length;
    if (candidates.length > room) this.#watch.distrust();
    for (const pid of candidates.slice(0, room)) {
      if (!all || !this.sets.member(pid)) this.#await(pid, nowMs);
    }
  }

  #due(nowMs: number): Pid[] {
    let count = 0;
    while (count < READS_PER_ROUND && (this.#waiting[count]?.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs) count += 1;
    return this.#waiting.splice(0, count).map(({ pid }) => pid);
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

  #again(member: Member, nowMs: number): void {
    this.look(member.pid, nowMs);
    member.looks += 1;
    const [before, next] = [LOOKS_MS[member.looks - 1], LOOKS_MS[member.looks]];
    if (next === undefined || before === undefined) this.#young.delete(member);
    else member.dueMs += next - before;
  }

  /** The cheapest look: has it other namespaces than before? That it is the same process is asked only then. */
  #glance(member: Member, nowMs: number): void {
    const links = readLinks(this.#files, member.pid);
    if (!links || keyOf(links, member) !== member.set.key) this.look(member.pid, nowMs);
  }

  /** Age at which a set is shown: those it came of must have been looked at, where all of them are known. */
  get showAfterMs(): number {
    return this.exact ? 2 * YOUNG_MS : YOUNG_MS;
  }

  #await(pid: Pid, nowMs: number): void {
    if (this.#waiting.length < WAITING_PIDS_LIMIT) this.#waiting.push({ pid, dueMs: nowMs + YOUNG_MS });
  }

  /** Which set the one was made in that this process is in: by events, else as it was found. */
  originOf(member: Member): { readonly set: NsSet | undefined; readonly isTold: boolean } {
    const told = this.#lineage.origin(member.set);
    // Without every event, what is to be seen of a maker that lives is better than what was heard.
    if (told && (this.exact || member.orphan)) return { set: told, isTold: true };
    return { set: member.origin, isTold: false };
  }

  #bury(member: Member): void {
    this.#lineage.gone(member.pid);
    this.#young.delete(member);
    this.sets.bury(member);
  }
}

/** Orphans become children of the machine's init; or of a reaper of their own, which cannot be told (prctl(2)). */
function isReaper(ppid: Pid): boolean {
  return ppid === 1;
}

/** CLOCK_MONOTONIC, as events have it. */
function monotonicSec(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}
