import { markOf } from '../discovery/identity.ts';
import { differingKinds, keyOf, type SetKey } from '../discovery/key.ts';
import { Observer, YOUNG_MS } from '../discovery/observer.ts';
import type { Member, NsSet } from '../discovery/sets.ts';
import { FsError } from '../errno.ts';
import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { forEachPaced } from '../pace.ts';
import { readStatus } from '../proc/process.ts';
import { readCgroups, readLinks } from '../proc/scan.ts';
import type { Sight } from '../proc/sight.ts';
import { Rotation } from '../rotation.ts';
import { now } from '../time.ts';
import type { Change } from './change.ts';
import { chainOf, isLive, subtree, type Container, type PinnedProcess } from './container.ts';
import type { Discoverer } from './found.ts';
import { nameFor } from './found-name.ts';
import { Places } from './found-place.ts';
import { FoundProcesses } from './found-processes.ts';
import { Shown } from './found-shown.ts';
import type { Machine } from './machine.ts';
import { wayOf } from './ways.ts';

/** Containers whose first process is checked in a round in which some task ended. */
export const CHECKED_PER_ROUND = 200;

/** How long a set waits for the one it was made in to be shown, and for events and looks that may tell which that is. */
const MAKER_WAIT_MS = 150;

/** The same where events come: they are to be waited for also on a busy machine. */
const EVENTS_WAIT_MS = 2_000;

/** A set whose showing failed, for want of room in the journal, is tried again after this. */
const AGAIN_MS = 1_000;

const DISCOVERED_MODE = 0o755;

type Doors = Pick<Machine, 'files' | 'kernel' | 'store' | 'events' | 'log' | 'declaredOf'>;

/**
 * Keeps the registry's discovered containers as the machine's sets of namespaces are. Belongs to the main thread; between
 * two looks at the event loop nothing of it changes.
 */
export class Discovery implements Discoverer {
  readonly observer: Observer;
  readonly #doors: Doors;
  readonly #shown = new Shown();
  readonly #places: Places;
  readonly #processes: FoundProcesses;
  readonly #owner = new WeakMap<NsSet, number>();
  readonly #failedAtMs = new WeakMap<NsSet, number>();
  #ready: Promise<void> | undefined;
  readonly #checks = new Rotation(() => this.#shown.values());
  #swept = true;

  constructor(doors: Doors) {
    this.#doors = doors;
    const { files, store } = doors;
    const init = store.registry.root.init?.pid ?? (process.pid as Pid);
    const links = readLinks(files, init) ?? readLinks(files, process.pid as Pid) ?? [];
    const machine = keyOf(links, { pid: init, startTime: 0 });
    this.observer = new Observer(files, machine, ROOT_SERIAL, (member) => this.#isOwnInit(member));
    const around = { files, registry: store.registry, observer: this.observer, shown: this.#shown };
    this.#places = new Places(around);
    this.#processes = new FoundProcesses(around, this.#places);
    for (const container of subtree(store.registry.root)) this.#shown.add(container);
    store.onCommit((changes) => {
      for (const change of changes) this.#hear(change);
    });
  }

  ready(): Promise<void> {
    return (this.#ready ??= this.#survey());
  }

  /** One look, and what follows from it. */
  async round(): Promise<void> {
    const stirred = await this.observer.round(performance.now());
    if (!this.#swept) this.#sweep();
    if (stirred) for (const container of this.#checks.next(CHECKED_PER_ROUND)) this.#check(container);
    for (const set of [...this.observer.sets.emptied]) this.#emptied(set);
    await this.#showFresh();
  }

  within(pid: Pid, declared: Container, sight?: Sight): Container {
    return this.#processes.within(pid, declared, sight);
  }

  async processesBelow(container: Container): Promise<Pid[]> {
    await this.ready();
    return await this.#processes.below(container);
  }

  isBelow(pid: Pid, container: Container): boolean {
    return this.#processes.isBelow(pid, container);
  }

  async processesOf(container: Container): Promise<Pid[]> {
    await this.ready();
    return await this.#processes.of(container);
  }

  async #survey(): Promise<void> {
    const { log, store } = this.#doors;
    const begun = performance.now();
    for (const container of [...subtree(store.registry.root)]) this.#declare(container);
    await this.observer.survey(begun - YOUNG_MS);
    await this.observer.heardAll();
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
    const { showAfterMs } = this.observer;
    const due = [...sets.fresh].filter(({ seenAtMs, members }) => members.size > 0 && at - seenAtMs >= showAfterMs);
    let unshown = 0;
    // Those that others came of first.
    due.sort((a, b) => (a.stage?.number ?? 0) - (b.stage?.number ?? 0));
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
    if (known !== undefined && this.#shown.isFull(known)) return 'too many';
    const oldest = this.observer.liveOldest(set, performance.now());
    const { files, kernel, store, declaredOf } = this.#doors;
    if (!oldest || this.#awaitsMaker(set, oldest)) return undefined;
    const init = this.#places.initOf(set) ?? oldest;
    const cgroup = readCgroups(files, init.pid);
    const declared = declaredOf(cgroup);
    // Being started, or nobody knows any more which namespaces are its own.
    if (declared.parent && !declared.init) return undefined;
    const mark = markOf(kernel, init, set.key);
    const former = this.#shown.withMark(mark);
    if (former) {
      this.#revive(former, set, init, mark);
      return undefined;
    }
    const status = readStatus(files, init.pid);
    if (!status) return undefined;
    const [uid = 0] = status.uids;
    this.#owner.set(set, uid);
    if (this.#shown.isFull(uid)) return 'too many';
    const parent = this.#places.parentFor(set, oldest, declared, cgroup);
    if (chainOf(parent).some(({ phase }) => phase === 'removing')) return undefined;
    const name = nameFor(files, parent, { cgroup, makersCgroup: this.#places.makersCgroup(oldest), ppid: oldest.ppid });
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

  /** It is not known yet where it came from, or that is about to be shown: it may have been seen later. */
  #awaitsMaker(set: NsSet, oldest: Member): boolean {
    const { observer } = this;
    const at = performance.now();
    if (at - set.seenAtMs >= (observer.isTracing ? EVENTS_WAIT_MS : MAKER_WAIT_MS)) return false;
    const origin = observer.originOf(set);
    if (observer.isBehind(set, origin, at)) return true;
    const maker = origin.set ?? oldest.origin;
    return maker !== undefined && maker.members.size > 0 && observer.sets.fresh.has(maker);
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
    if (known.phase === 'removing') return;
    if (!same || known.found?.key !== set.key) this.#pin(known, set.key, init, mark);
  }

  #pin(container: Container, key: SetKey, init: Member, mark: string): void {
    this.#commit({ op: 'pin', serial: container.serial, init: pinned(init), key, mark, at: now() });
  }

  /** Its first process may be gone, or its pid namespace have come to be. */
  #check(container: Container): void {
    const set = this.observer.sets.of(container.serial);
    // One that is being removed stays so: a pin would say that it runs.
    if (!set || !container.found || container.phase === 'removing') return;
    const at = performance.now();
    const init = container.init && this.observer.look(container.init.pid, at);
    const holds = init?.alive === true && init.set === set && init.startTime === container.init?.startTime;
    if (holds && container.found.key === set.key) return;
    if (!this.observer.liveOldest(set, at)) return;
    const next = this.#places.initOf(set) ?? this.observer.sets.oldest(set);
    if (next) this.#pin(container, set.key, next, markOf(this.#doors.kernel, next, set.key));
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
    for (let at: Container | undefined = container; at?.found && at.phase !== 'removing';) {
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
    for (const container of [...this.#shown.values()].reverse()) {
      if (registry.get(container.serial) !== container) this.#unknow(container);
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
        this.#shown.add(container);
        // Who waits for the answer to a start waits for no look.
        if (!this.#ready) return;
        setImmediate(() => {
          if (registry.get(change.serial) === container) this.#declare(container);
        });
        return;
      }
      case 'pin': {
        const container = registry.get(change.serial);
        if (container) this.#shown.mark(container, change.mark);
        return;
      }
      case 'enter':
        // It has other namespaces now, which nobody may have told; who waits for the answer waits for no look.
        if (this.#ready && change.begun !== true) setImmediate(() => this.observer.look(change.pid, performance.now()));
        return;
      case 'lost': {
        const container = this.#shown.get(change.serial);
        if (container) this.#unknow(container);
        return;
      }
      case 'drop':
        this.observer.sets.forget(change.serial);
        this.#swept = false;
        return;
      default:
    }
  }

  /** From now on the set of the container's init is that container. */
  #declare({ serial, init, found }: Container): void {
    if (found || !init || serial === ROOT_SERIAL) return;
    const links = readLinks(this.#doors.files, init.pid);
    if (links) this.observer.sets.declare(keyOf(links, init), serial);
  }

  /** An init of ours has made all its namespaces before its start is committed. */
  #isOwnInit({ pid, startTime, set: { serial } }: Member): boolean {
    const container = serial === undefined ? undefined : this.#doors.store.registry.get(serial);
    if (!container?.init || !container.parent || container.found || !wayOf(container).isInitOurs) return false;
    return container.init.pid === pid && container.init.startTime === startTime;
  }

  #unknow(container: Container): void {
    this.#shown.delete(container);
    this.observer.sets.forget(container.serial);
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

function pinned({ pid, startTime }: Member): PinnedProcess {
  return { pid, startTime };
}
