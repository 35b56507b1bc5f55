import { setTimeout as sleep } from 'node:timers/promises';
import { markOf } from '../discovery/identity.ts';
import { differingKinds, keyOf, partsOf, type SetKey } from '../discovery/key.ts';
import { Observer, YOUNG_MS } from '../discovery/observer.ts';
import { cgroupPaths, likelyMaker } from '../discovery/parentage.ts';
import type { Member, NsSet } from '../discovery/sets.ts';
import { startTracer } from '../discovery/tracer.ts';
import { FsError } from '../errno.ts';
import { ROOT_SERIAL, type Pid, type Serial } from '../ids.ts';
import { NAMESPACE_KINDS } from '../namespaces.ts';
import { forEachPaced } from '../pace.ts';
import { namespaceInode, readStatus } from '../proc/process.ts';
import { readCgroups, readLinks } from '../proc/scan.ts';
import { now } from '../time.ts';
import type { Change } from './change.ts';
import { chainOf, contains, isLive, subtree, type Container } from './container.ts';
import type { Discoverer } from './found.ts';
import { nameFor } from './found-name.ts';
import type { Machine } from './machine.ts';

/** How often it is looked whether anything happened; that costs some 20 µs. */
export const ROUND_MS = 40;

/** Sets shown of one user's; more are only counted, in `.unshown`. */
export const SHOWN_PER_UID_LIMIT = 4096;

/** Containers whose first process is checked in a round in which some task ended. */
export const CHECKED_PER_ROUND = 200;

/** Of a set's oldest processes, how many are looked at for one that lives in its pid namespace. */
const INIT_CANDIDATES_LIMIT = 8;

/** Events name pids of the initial pid namespace (PROC_PID_INIT_INO, linux/proc_ns.h). */
const INITIAL_PID_NAMESPACE = '4026531836';

/** A set whose showing failed, for want of room in the journal, is tried again after this. */
const AGAIN_MS = 1_000;

const DISCOVERED_MODE = 0o755;
const PID_PART = NAMESPACE_KINDS.findIndex(({ kind }) => kind === 'pid');

type Doors = Pick<Machine, 'instance' | 'files' | 'kernel' | 'store' | 'events' | 'log' | 'declaredOf'>;

/**
 * Keeps the registry's discovered containers as the machine's sets of namespaces are. Belongs to the main thread; between
 * two looks at the event loop nothing of it changes.
 */
export class Discovery implements Discoverer {
  readonly observer: Observer;
  readonly #doors: Doors;
  readonly #shown = new Map<Serial, Container>();
  readonly #byMark = new Map<string, Container>();
  readonly #perUid = new Map<number, number>();
  readonly #uids = new Map<Serial, number>();
  readonly #owner = new WeakMap<NsSet, number>();
  readonly #failedAtMs = new WeakMap<NsSet, number>();
  #ready: Promise<void> | undefined;
  #checks: IterableIterator<Container> | undefined;
  #swept = true;
  #ended = false;

  constructor(doors: Doors) {
    this.#doors = doors;
    const { files, store } = doors;
    const init = store.registry.root.init?.pid ?? (process.pid as Pid);
    const links = readLinks(files, init) ?? readLinks(files, process.pid as Pid) ?? [];
    this.observer = new Observer(files, keyOf(links, { pid: init, startTime: 0 }), ROOT_SERIAL);
    for (const container of subtree(store.registry.root)) this.#know(container);
    store.onCommit((changes) => {
      for (const change of changes) this.#hear(change);
    });
  }

  ready(): Promise<void> {
    return (this.#ready ??= this.#survey());
  }

  /** Looks at the machine again and again until `end`; `exact`: with events that slow every system call. */
  async run(exact: boolean): Promise<void> {
    this.#trace(exact);
    await this.ready();
    while (!this.#ended) {
      await sleep(ROUND_MS, undefined, { ref: false });
      try {
        await this.round();
      } catch (cause) {
        this.#doors.log.error({ err: cause }, 'bug: a round of discovery failed');
      }
    }
  }

  /** Events tell who made what, sooner than /proc; without them it is guessed where the maker is gone. */
  #trace(exact: boolean): void {
    const { log, instance, files } = this.#doors;
    if (String(namespaceInode(files, 'self', 'pid')) !== INITIAL_PID_NAMESPACE) return;
    const tracer = startTracer({
      name: `nsdir-${instance.id}`,
      exact,
      onEvent: (event) => {
        this.observer.hear(event, performance.now());
      },
      onEnd: (reason) => {
        this.observer.ignored.clear();
        log.warn({ reason }, 'no events from the kernel; looking at /proc only');
      },
    });
    if (tracer) this.observer.ignored.add(tracer.pid as Pid);
  }

  end(): void {
    this.#ended = true;
  }

  /** One look, and what follows from it. */
  async round(): Promise<void> {
    const stirred = await this.observer.round(performance.now());
    if (!this.#swept) this.#sweep();
    if (stirred) for (const container of this.#turn()) this.#check(container);
    for (const set of [...this.observer.sets.emptied]) this.#emptied(set);
    await this.#showFresh();
  }

  within(pid: Pid, declared: Container): Container {
    if (this.#shown.size === 0) return declared;
    const found = this.#containerOf(this.observer.look(pid, performance.now())?.set ?? this.#setOfThread(pid));
    return found.found || contains(declared, found) ? found : declared;
  }

  /** Callers are known by thread. */
  #setOfThread(thread: Pid): NsSet | undefined {
    const links = readLinks(this.#doors.files, thread);
    return links && this.observer.sets.get(keyOf(links, { pid: thread, startTime: 0 }));
  }

  async processesBelow(container: Container): Promise<Pid[]> {
    const below: Pid[] = [];
    const { sets } = this.observer;
    const at = performance.now();
    for (const _ of this.observer.newest(at)) continue;
    await forEachPaced([...sets.members()], (member) => {
      if (member.alive && this.#isOf(member.set, container) && this.observer.look(member.pid, at) === member) {
        if (member.alive) below.push(member.pid);
      }
    });
    return below;
  }

  isBelow(pid: Pid, container: Container): boolean {
    const member = this.observer.look(pid, performance.now());
    return member?.alive === true && this.#isOf(member.set, container);
  }

  async processesOf(container: Container): Promise<Pid[]> {
    const set = this.observer.sets.of(container.serial);
    const at = performance.now();
    for (const _ of this.observer.newest(at)) continue;
    const own: Pid[] = [];
    await forEachPaced([...(set?.members ?? [])], (member) => {
      this.observer.look(member.pid, at);
      if (member.alive && member.set === set) own.push(member.pid);
    });
    return own.sort((a, b) => a - b);
  }

  async #survey(): Promise<void> {
    const { log, store } = this.#doors;
    const begun = performance.now();
    for (const container of [...subtree(store.registry.root)]) this.#declare(container);
    await this.observer.survey(begun - YOUNG_MS);
    const fresh = [...this.observer.sets.fresh].sort((a, b) => this.#ageOf(a) - this.#ageOf(b));
    await forEachPaced(fresh, (set) => {
      this.#show(set);
    });
    for (const container of [...this.#shown.values()].reverse()) {
      if (!this.observer.sets.of(container.serial)) this.#lose(container);
    }
    const ms = Math.round(performance.now() - begun);
    log.info({ processes: this.observer.sets.size, found: this.#shown.size, ms }, 'the first picture of the machine');
  }

  /** Parents are shown before what they made. */
  #ageOf(set: NsSet): number {
    return this.observer.sets.oldest(set)?.startTime ?? 0;
  }

  async #showFresh(): Promise<void> {
    const at = performance.now();
    const { sets } = this.observer;
    const due = [...sets.fresh].filter(({ seenAtMs, members }) => members.size > 0 && at - seenAtMs >= YOUNG_MS);
    let unshown = 0;
    await forEachPaced(due, (set) => {
      if (this.#show(set) === 'too many') unshown += 1;
    });
    const { root } = this.#doors.store.registry;
    if (root.unshown !== unshown) this.#commit({ op: 'unshown', serial: ROOT_SERIAL, count: unshown });
  }

  /** Makes a container for the set, or finds the one it was, unless its time has not come. */
  #show(set: NsSet): 'too many' | undefined {
    if (set.serial !== undefined || set.members.size === 0) return undefined;
    if (set.seenAtMs + this.#pauseMs(set) > performance.now()) return undefined;
    const known = this.#owner.get(set);
    if (known !== undefined && this.#isFull(known)) return 'too many';
    const oldest = this.observer.liveOldest(set, performance.now());
    const { files, kernel, store, declaredOf } = this.#doors;
    if (!oldest) return undefined;
    const init = this.#initOf(set) ?? oldest;
    const cgroup = readCgroups(files, init.pid);
    const declared = declaredOf(cgroup);
    // Being started, or nobody knows any more which namespaces are its own.
    if (declared.parent && !declared.init) return undefined;
    const mark = markOf(kernel, init, set.key);
    const former = this.#byMark.get(mark);
    if (former) {
      this.#revive(former, set, init, mark);
      return undefined;
    }
    const status = readStatus(files, init.pid);
    if (!status) return undefined;
    const [uid = 0] = status.uids;
    this.#owner.set(set, uid);
    if (this.#isFull(uid)) return 'too many';
    const parent = this.#parentFor(set, oldest, declared, cgroup);
    if (chainOf(parent).some(({ phase }) => phase === 'removing')) return undefined;
    const name = nameFor(files, parent, { cgroup, makersCgroup: this.#makersCgroup(oldest), ppid: oldest.ppid });
    if (name === undefined) return undefined;
    const serial = store.registry.nextSerial;
    const [gid = 0] = status.gids;
    const node = { serial, parent: parent.serial, name, mode: DISCOVERED_MODE, uid, gid, key: set.key, mark };
    const kinds = differingKinds(set.key, this.observer.sets.of(parent.serial)?.key ?? this.observer.sets.machine.key);
    if (!this.#commit({ op: 'found', ...node, init: pinned(init), kinds, at: now() })) {
      this.#failedAtMs.set(set, performance.now());
      return undefined;
    }
    this.observer.sets.stand(set, serial);
    const made = store.registry.get(serial);
    if (made) this.#doors.events.emit(made, 'created');
    return undefined;
  }

  #isFull(uid: number): boolean {
    return (this.#perUid.get(uid) ?? 0) >= SHOWN_PER_UID_LIMIT;
  }

  #pauseMs(set: NsSet): number {
    const failed = this.#failedAtMs.get(set);
    return failed === undefined ? 0 : failed + AGAIN_MS - set.seenAtMs;
  }

  /** The namespaces of a container that was there before: of a former daemon's, or entered again after its last process. */
  #revive(known: Container, set: NsSet, init: Member, mark: string): void {
    if (this.observer.sets.of(known.serial)?.members.size) return;
    this.observer.sets.stand(set, known.serial);
    const same = known.init?.pid === init.pid && known.init.startTime === init.startTime;
    if (!same || known.found?.key !== set.key) this.#pin(known, set.key, init, mark);
  }

  #pin(container: Container, key: SetKey, init: Member, mark: string): void {
    this.#commit({ op: 'pin', serial: container.serial, init: pinned(init), key, mark, at: now() });
  }

  #parentFor(set: NsSet, oldest: Member, declared: Container, cgroup: string): Container {
    let maker = this.#containerOf(oldest.origin);
    if (!maker.parent && oldest.orphan) maker = this.#guess(set, oldest, cgroup) ?? maker;
    return contains(declared, maker) ? maker : declared;
  }

  /** Who may have made a set whose first process is an orphan. */
  #guess(set: NsSet, oldest: Member, cgroup: string): Container | undefined {
    const { files } = this.#doors;
    const { sets } = this.observer;
    const machines = partsOf(sets.machine.key)[PID_PART];
    const candidates = [...this.#shown.values()].flatMap((container) => {
      const of = sets.of(container.serial);
      const first = of && sets.oldest(of);
      if (!of || !first || of === set) return [];
      const isVisible = [...of.members].some(({ pid }) => String(namespaceInode(files, pid, 'pid')) === machines);
      if (!isVisible) return [];
      return [{ container, key: of.key, startTime: first.startTime, cgroups: cgroupPaths(first.cgroup) }];
    });
    const orphan = { key: set.key, startTime: oldest.startTime, cgroups: cgroupPaths(cgroup) };
    return likelyMaker(orphan, candidates, sets.machine.key)?.container;
  }

  /** What is of its own in the set's cgroup is not what its maker has too. */
  #makersCgroup(oldest: Member): string {
    const maker = this.observer.sets.member(oldest.ppid);
    return readCgroups(this.#doors.files, maker && oldest.ppid > 0 ? maker.pid : (1 as Pid));
  }

  /** The oldest process that lives in the set's own pid namespace, where it has one; its parent may be in the set too. */
  #initOf(set: NsSet): Member | undefined {
    const own = partsOf(set.key)[PID_PART];
    const byAge = [...set.members].sort((a, b) => a.startTime - b.startTime || a.pid - b.pid);
    return byAge
      .slice(0, INIT_CANDIDATES_LIMIT)
      .find(({ pid }) => String(namespaceInode(this.#doors.files, pid, 'pid')) === own);
  }

  #containerOf(set: NsSet | undefined): Container {
    const { registry } = this.#doors.store;
    for (let at = this.observer.sets.shown(set); ; at = this.observer.sets.shown(at.parent)) {
      const container = at.serial === undefined ? undefined : registry.get(at.serial);
      if (container) return container;
      if (at === this.observer.sets.machine) return registry.root;
    }
  }

  /** Whether processes of the set die with the container, by their namespaces. */
  #isOf(set: NsSet, container: Container): boolean {
    if (set === this.observer.sets.machine) return false;
    const own = this.#containerOf(set);
    return own.serial !== ROOT_SERIAL && contains(container, own) && (own.found !== undefined || set.serial === undefined);
  }

  /** Its first process may be gone, or its pid namespace have come to be. */
  #check(container: Container): void {
    const set = this.observer.sets.of(container.serial);
    if (!set || !container.found) return;
    const at = performance.now();
    const init = container.init && this.observer.look(container.init.pid, at);
    const holds = init?.alive === true && init.set === set && init.startTime === container.init?.startTime;
    if (holds && container.found.key === set.key) return;
    if (!this.observer.liveOldest(set, at)) return;
    const next = this.#initOf(set) ?? this.observer.sets.oldest(set);
    if (next) this.#pin(container, set.key, next, markOf(this.#doors.kernel, next, set.key));
  }

  *#turn(): Generator<Container> {
    for (let count = 0; count < CHECKED_PER_ROUND; count++) {
      this.#checks ??= this.#shown.values();
      const { value, done } = this.#checks.next();
      if (done === true) {
        this.#checks = undefined;
        return;
      }
      yield value;
    }
  }

  #emptied(set: NsSet): void {
    const container = set.serial === undefined ? undefined : this.#doors.store.registry.get(set.serial);
    if (container?.found) this.#lose(container);
    else if (!container && set.serial !== undefined) this.observer.sets.forget(set.serial);
    else this.observer.sets.emptied.delete(set);
  }

  /** Nobody lives in it; it goes, with those above that only it kept, unless it keeps others. */
  #lose(container: Container): void {
    const { events } = this.#doors;
    const { sets } = this.observer;
    for (let at: Container | undefined = container; at?.found && at.phase !== 'removing'; ) {
      const { serial, parent }: Container = at;
      const set = sets.of(serial);
      if (set && set.members.size > 0) return;
      if (set) sets.emptied.delete(set);
      if (at.children.size > 0) {
        if (isLive(at)) this.#commit({ op: 'phase', serial, phase: 'stopped', at: now() });
        return;
      }
      if (!parent || !this.#commit({ op: 'lost', serial, parent: parent.serial, at: now() })) return;
      events.emit(at, 'removed');
      at = parent.found && !sets.of(parent.serial)?.members.size ? parent : undefined;
    }
  }

  /** Containers were removed: what stood for sets is forgotten, what kept others may go. */
  #sweep(): void {
    this.#swept = true;
    const { registry } = this.#doors.store;
    for (const [serial, container] of [...this.#shown].reverse()) {
      if (registry.get(serial) !== container) this.#unknow(container);
      else if (container.phase === 'stopped' && container.children.size === 0) this.#lose(container);
    }
  }

  #hear(change: Change): void {
    const { registry } = this.#doors.store;
    switch (change.op) {
      case 'found':
      case 'start': {
        const container = registry.get(change.serial);
        if (!container) return;
        this.#know(container);
        if (this.#ready) this.#declare(container);
        return;
      }
      case 'pin': {
        const container = registry.get(change.serial);
        if (container?.found) this.#byMark.set(change.mark, container);
        return;
      }
      case 'lost': {
        const container = this.#shown.get(change.serial);
        if (container) this.#unknow(container);
        return;
      }
      case 'drop':
        this.observer.sets.forget(change.serial);
        this.#swept = false;
        return;
    }
  }

  /** From now on the set of the container's init is that container. */
  #declare({ serial, init, found }: Container): void {
    if (found || !init || serial === ROOT_SERIAL) return;
    const links = readLinks(this.#doors.files, init.pid);
    if (links) this.observer.sets.declare(keyOf(links, init), serial);
  }

  #know(container: Container): void {
    if (!container.found) return;
    this.#shown.set(container.serial, container);
    this.#byMark.set(container.found.mark, container);
    this.#uids.set(container.serial, container.uid);
    this.#perUid.set(container.uid, (this.#perUid.get(container.uid) ?? 0) + 1);
  }

  #unknow(container: Container): void {
    this.#shown.delete(container.serial);
    this.observer.sets.forget(container.serial);
    if (container.found && this.#byMark.get(container.found.mark) === container) {
      this.#byMark.delete(container.found.mark);
    }
    const uid = this.#uids.get(container.serial) ?? container.uid;
    this.#uids.delete(container.serial);
    this.#perUid.set(uid, (this.#perUid.get(uid) ?? 1) - 1);
  }

  /** Whether there was room for it. */
  #commit(change: Change): boolean {
    try {
      this.#doors.store.commit([change]);
      return true;
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      this.#doors.log.warn({ change: change.op, err: error }, 'cannot write down what was discovered');
      return false;
    }
  }
}

function pinned({ pid, startTime }: Member): { pid: Pid; startTime: number } {
  return { pid, startTime };
}
