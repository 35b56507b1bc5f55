import type { Pid, Serial } from '../ids.ts';
import type { Identity } from './identity.ts';
import { isPending, type SetKey } from './key.ts';
import type { Stage } from './stage.ts';

/** A process as it was last seen. */
export interface Member {
  readonly pid: Pid;
  /** Clock ticks since boot. */
  readonly startTime: number;
  /** Whose child it was when it was first seen. */
  readonly ppid: Pid;
  set: NsSet;
  /** The set this process, or the one it descends from, was in before it came into `set`; `undefined` in the machine's. */
  origin: NsSet | undefined;
  /** Its maker was gone when it was first seen: `origin` is that of who took it in. */
  orphan: boolean;
  alive: boolean;
  /** Text of /proc/PID/cgroup; empty in the machine's own set, where nobody asks. */
  cgroup: string;
  /** When it is to be looked at again; it is then one of the young. */
  dueMs: number;
  /** How often it was looked at while young. */
  looks: number;
  /** Time of processors that it had used before it was last looked at; `undefined` if nobody told. */
  timeNs: number | undefined;
}

/** All processes that have the same namespaces. */
export interface NsSet {
  key: SetKey;
  /** Those that live. */
  readonly members: Set<Member>;
  readonly seenAtMs: number;
  /** The container it is shown as; 0 is the machine itself. */
  serial: Serial | undefined;
  /** What made it, or made what made it. Followed where `serial` is absent. */
  parent: NsSet | undefined;
  /** What events told of how it was made. */
  stage: Stage | undefined;
  /** Of its namespaces; `undefined` as long as nobody asked. */
  identity: Identity | undefined;
  /** It is to be asked whether its namespaces are still those that it was first seen with: numbers are given again. */
  isDoubtful: boolean;
}

/** Who is in which set, as far as it was seen. Knows no files and no clock. */
export class Sets {
  readonly machine: NsSet;
  /** Sets that no container stands for yet. */
  readonly fresh = new Set<NsSet>();
  /** Sets of containers that lost their last process. */
  readonly emptied = new Set<NsSet>();
  readonly #byKey = new Map<SetKey, NsSet>();
  readonly #byPid = new Map<Pid, Member>();
  readonly #bySerial = new Map<Serial, NsSet>();

  constructor(machine: SetKey, root: Serial) {
    this.machine = this.#make(machine, 0, undefined);
    this.stand(this.machine, root);
  }

  get(key: SetKey): NsSet | undefined {
    return this.#byKey.get(key);
  }

  of(serial: Serial): NsSet | undefined {
    return this.#bySerial.get(serial);
  }

  member(pid: Pid): Member | undefined {
    return this.#byPid.get(pid);
  }

  /** Every process that was seen and not buried, in the order in which they were. */
  members(): IterableIterator<Member> {
    return this.#byPid.values();
  }

  all(): IterableIterator<NsSet> {
    return this.#byKey.values();
  }

  get size(): number {
    return this.#byPid.size;
  }

  /** From now on the container stands for the set. */
  stand(set: NsSet, serial: Serial): void {
    const former = this.#bySerial.get(serial);
    if (former && former !== set) {
      former.serial = undefined;
      former.parent = set;
      this.emptied.delete(former);
    }
    this.fresh.delete(set);
    set.serial = serial;
    this.#bySerial.set(serial, set);
  }

  /** The set of a container whose init has this key, for containers that were started here. */
  declare(key: SetKey, serial: Serial): void {
    const set = this.#byKey.get(key) ?? this.#make(key, 0, this.machine);
    if (set !== this.machine) this.stand(set, serial);
  }

  /** The container is gone; if processes of the set are left, it is one nobody stands for. */
  forget(serial: Serial): void {
    const set = this.#bySerial.get(serial);
    this.#bySerial.delete(serial);
    if (!set) return;
    set.serial = undefined;
    this.emptied.delete(set);
    if (set.members.size > 0) this.fresh.add(set);
    else this.#unkey(set);
  }

  /** Its numbers were given again: who is in it is in another set that has them, and nobody in this one any more. */
  renew(set: NsSet, nowMs: number): NsSet {
    this.#unkey(set);
    this.fresh.delete(set);
    const next = this.#make(set.key, nowMs, set);
    for (const member of set.members) {
      Object.assign(member, { set: next, origin: set, orphan: false });
      next.members.add(member);
    }
    set.members.clear();
    if (set.serial !== undefined) this.emptied.add(set);
    return next;
  }

  /** A process that was not seen before, or has another set than it had: `key`. `origin`: where it came from. */
  place(
    seen: Pick<Member, 'pid' | 'startTime' | 'ppid' | 'cgroup'>,
    key: SetKey,
    from: { readonly origin: NsSet | undefined; readonly orphan: boolean },
    nowMs: number,
  ): Member {
    const known = this.#byPid.get(seen.pid);
    const set = this.#follow(known, key) ?? this.#make(key, nowMs, from.origin ?? this.machine);
    if (known && known.startTime === seen.startTime) {
      if (known.set !== set) {
        this.#leave(known);
        Object.assign(known, { set, origin: from.origin, orphan: from.orphan });
      }
      known.cgroup = seen.cgroup;
      set.members.add(known);
      known.alive = true;
      this.emptied.delete(set);
      return known;
    }
    if (known) this.bury(known);
    const { pid, startTime, ppid, cgroup } = seen;
    const member: Member = {
      pid,
      startTime,
      ppid,
      cgroup,
      ...from,
      set,
      alive: true,
      dueMs: 0,
      looks: 0,
      timeNs: undefined,
    };
    this.#byPid.set(seen.pid, member);
    set.members.add(member);
    this.emptied.delete(set);
    return member;
  }

  /** It is dead: a zombie is remembered for its children's sake. */
  died(member: Member): void {
    if (!member.alive) return;
    this.#leave(member);
    member.alive = false;
  }

  bury(member: Member): void {
    this.died(member);
    if (this.#byPid.get(member.pid) === member) this.#byPid.delete(member.pid);
  }

  /** The oldest of a set: by its start, then by its pid. */
  oldest(set: NsSet): Member | undefined {
    let oldest: Member | undefined;
    for (const member of set.members) if (!oldest || isOlder(member, oldest)) oldest = member;
    return oldest;
  }

  /** The nearest set, from this one up, that a container stands for. */
  shown(set: NsSet | undefined): NsSet {
    let at = set;
    while (at && at.serial === undefined) at = at.parent;
    const found = at ?? this.machine;
    // What is passed over now is passed over for good once it is empty: chains do not grow.
    for (let each = set; each && each !== found;) {
      const { parent } = each;
      if (each.members.size === 0) each.parent = found;
      each = parent;
    }
    return found;
  }

  /** A pid namespace that was asked for got its number: the set is the same. */
  #follow(known: Member | undefined, key: SetKey): NsSet | undefined {
    const set = this.#byKey.get(key);
    const before = known?.set;
    if (set || !before || !isPending(before.key) || !samePlace(before.key, key)) return set;
    this.#byKey.delete(before.key);
    before.key = key;
    this.#byKey.set(key, before);
    return before;
  }

  #make(key: SetKey, seenAtMs: number, parent: NsSet | undefined): NsSet {
    const unknown = { serial: undefined, stage: undefined, identity: undefined, isDoubtful: false };
    const set: NsSet = { key, members: new Set(), seenAtMs, parent, ...unknown };
    this.#byKey.set(key, set);
    this.fresh.add(set);
    return set;
  }

  #leave(member: Member): void {
    const { set } = member;
    set.members.delete(member);
    if (set.members.size > 0 || set === this.machine) return;
    this.fresh.delete(set);
    this.#unkey(set);
    if (set.serial !== undefined) this.emptied.add(set);
  }

  /** Its numbers may be given to others, and may have been already. */
  #unkey(set: NsSet): void {
    if (this.#byKey.get(set.key) === set) this.#byKey.delete(set.key);
  }
}

/** Whether it is shown, or may still be. */
export function isThere({ serial, members }: NsSet): boolean {
  return serial !== undefined || members.size > 0;
}

function isOlder(one: Member, other: Member): boolean {
  return one.startTime < other.startTime || (one.startTime === other.startTime && one.pid < other.pid);
}

/** Whether the keys differ in the pid namespace only. */
function samePlace(one: SetKey, other: SetKey): boolean {
  const [its, others] = [one.split(','), other.split(',')];
  return its.filter((part, index) => part !== others[index]).length === 1;
}
