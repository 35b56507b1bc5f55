import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { readCgroups, readLinks, readProcess, type ProcessReading } from '../proc/scan.ts';
import { processIn, type Sight } from '../proc/sight.ts';
import { monotonicSec } from '../time.ts';
import { isPending, keyOf, type SetKey } from './key.ts';
import type { Renewal } from './renewal.ts';
import type { Member, NsSet, Sets } from './sets.ts';

/** How far up unknown parents are looked at; the line above is the machine's. */
const ANCESTORS_LIMIT = 64;

/** Who wants to know what looks say. */
export interface Onlooker {
  /** A process that was not known. */
  met(member: Member, nowMs: number): void;
  /** A process was in `set` between `fromSec` and now. */
  saw(process: { readonly pid: Pid; readonly startTime: number }, set: NsSet, fromSec: number): void;
  /** It is gone, or nobody may look at it. */
  missed(pid: Pid): void;
}

export interface LookerOptions {
  readonly files: FileAccess;
  readonly sets: Sets;
  readonly renewal: Renewal;
  readonly onlooker: Onlooker;
}

/** Looks at processes one by one, and keeps `sets` as that says. */
export class Looker {
  readonly #files: FileAccess;
  readonly #sets: Sets;
  readonly #renewal: Renewal;
  readonly #onlooker: Onlooker;
  /** Our own helpers, of whom nothing is to be seen. */
  readonly ignored = new Set<Pid>();

  constructor({ files, sets, renewal, onlooker }: LookerOptions) {
    this.#files = files;
    this.#sets = sets;
    this.#renewal = renewal;
    this.#onlooker = onlooker;
  }

  /**
   * Looks at one process, those above it that are unknown first. `undefined` if there is no such process. `sight`: somebody
   * looked at it just now.
   */
  look(pid: Pid, nowMs: number, sight?: Sight): Member | undefined {
    return this.#look(pid, nowMs, { depth: 0, sight });
  }

  #look(pid: Pid, nowMs: number, { depth, sight }: { readonly depth: number; readonly sight?: Sight | undefined }) {
    const fromSec = sight?.sinceSec ?? monotonicSec();
    const known = this.#sets.member(pid);
    const seen = this.ignored.has(pid) ? undefined : sight ? processIn(sight) : readProcess(this.#files, pid);
    if (!seen || this.ignored.has(seen.ppid)) {
      if (known) this.#sets.bury(known);
      this.#onlooker.missed(pid);
      return undefined;
    }
    const same = known?.startTime === seen.startTime ? known : undefined;
    if (known && !same) this.#sets.bury(known);
    if (seen.zombie) {
      if (same) this.#sets.died(same);
      return same;
    }
    const links = sight ? sight.links : readLinks(this.#files, pid);
    return this.#place(seen, same, links, { nowMs, fromSec, depth });
  }

  /** The cheapest look: has it other namespaces than before? That it is the same process is asked only then. */
  glance(member: Member, nowMs: number): void {
    const fromSec = monotonicSec();
    const links = readLinks(this.#files, member.pid);
    if (!links || keyOf(links, member) !== member.set.key) {
      this.look(member.pid, nowMs);
      return;
    }
    this.#renewal.settle(member, nowMs);
    this.#onlooker.saw(member, member.set, fromSec);
  }

  /** The set's oldest process that lives and is in it by now; `undefined` if there is none any more. */
  liveOldest(set: NsSet, nowMs: number): Member | undefined {
    for (let member = this.#sets.oldest(set); member; member = this.#sets.oldest(set)) {
      const now = this.look(member.pid, nowMs);
      if (now === member && member.alive && member.set === set) return member;
      // It is dead, or in another set: it was taken out of this one.
      if (set.members.has(member)) return member;
    }
    return undefined;
  }

  #place(
    seen: ProcessReading,
    same: Member | undefined,
    links: readonly string[] | undefined,
    { nowMs, fromSec, depth }: { readonly nowMs: number; readonly fromSec: number; readonly depth: number },
  ): Member | undefined {
    const key = links && keyOf(links, seen);
    if (!key) this.#onlooker.missed(seen.pid);
    if (same && (key === undefined || key === same.set.key)) {
      if (key) {
        this.#renewal.settle(same, nowMs);
        this.#onlooker.saw(seen, same.set, fromSec);
      }
      return same;
    }
    const maker = same ? undefined : this.#maker(seen, nowMs, depth);
    // Who may not be looked at is where its maker is.
    const own = key ?? maker?.set.key ?? this.#sets.machine.key;
    const from = same
      ? { origin: same.set, orphan: false }
      : { origin: maker && (maker.set.key === own ? maker.origin : maker.set), orphan: isReaper(seen.ppid) };
    const cgroup = own === this.#sets.machine.key ? '' : readCgroups(this.#files, seen.pid);
    const orphan = maker !== undefined && maker.set.key === own ? maker.orphan : from.orphan;
    this.#requireAlive(own, nowMs);
    const member = this.#sets.place({ ...seen, cgroup }, own, { ...from, orphan }, nowMs);
    if (key) {
      if (!member.set.identity) this.#renewal.settle(member, nowMs);
      this.#onlooker.saw(seen, member.set, fromSec);
    }
    if (!same) this.#onlooker.met(member, nowMs);
    return member;
  }

  /** Numbers of namespaces are given again at once: a set whose last process is gone must not be taken for the next one. */
  #requireAlive(key: SetKey, nowMs: number): void {
    const set = this.#sets.get(key);
    if (set && set !== this.#sets.machine && set.members.size > 0) this.liveOldest(set, nowMs);
  }

  /** The process this one is a child of, looked at if need be. */
  #maker({ ppid }: ProcessReading, nowMs: number, depth: number): Member | undefined {
    if (ppid === 0 || depth > ANCESTORS_LIMIT) return undefined;
    const known = this.#sets.member(ppid);
    if (known && !isPending(known.set.key)) return known;
    return this.#look(ppid, nowMs, { depth: depth + 1 });
  }
}

/** Orphans become children of the machine's init; or of a reaper of their own, which cannot be told (prctl(2)). */
function isReaper(ppid: Pid): boolean {
  return ppid === 1;
}
