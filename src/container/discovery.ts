import { identityOf, markOf } from '../discovery/identity.ts';
import { keyOf } from '../discovery/key.ts';
import { YOUNG_MS } from '../discovery/newcomers.ts';
import { Observer } from '../discovery/observer.ts';
import type { Member, NsSet } from '../discovery/sets.ts';
import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { readLinks } from '../proc/scan.ts';
import type { CallerSight, Sight } from '../proc/sight.ts';
import { Rotation } from '../rotation.ts';
import { now } from '../time.ts';
import type { Change } from './change.ts';
import { isLive, subtree, type Container } from './container.ts';
import { commitFound, pin, type FoundDoors } from './found-commit.ts';
import type { Discoverer } from './found.ts';
import { Places } from './found-place.ts';
import { FoundProcesses } from './found-processes.ts';
import { Shown } from './found-shown.ts';
import { FreshSets } from './fresh-sets.ts';
import { wayOf } from './ways.ts';

/** Containers whose first process is checked in a round in which some task ended. */
export const CHECKED_PER_ROUND = 200;

/**
 * Keeps the registry's discovered containers as the machine's sets of namespaces are. Belongs to the main thread; between
 * two looks at the event loop nothing of it changes.
 */
export class Discovery implements Discoverer {
  readonly observer: Observer;
  readonly #doors: FoundDoors;
  readonly #shown = new Shown();
  readonly #places: Places;
  readonly #processes: FoundProcesses;
  readonly #fresh: FreshSets;
  #ready: Promise<void> | undefined;
  readonly #checks = new Rotation(() => this.#shown.values());
  #swept = true;

  constructor(doors: FoundDoors) {
    this.#doors = doors;
    const { files, kernel, store } = doors;
    const init = store.registry.root.init?.pid ?? (process.pid as Pid);
    const links = readLinks(files, init) ?? readLinks(files, process.pid as Pid) ?? [];
    const machine = keyOf(links, { pid: init, startTime: 0 });
    this.observer = new Observer({
      files,
      machine,
      root: ROOT_SERIAL,
      isSteady: (member) => this.#isOwnInit(member),
      timeOf: (pid) => kernel.processTime(pid),
      identityOf: (pid, key) => identityOf(kernel, pid, key, machine),
    });
    const around = { files, registry: store.registry, observer: this.observer, shown: this.#shown };
    this.#places = new Places(around);
    this.#processes = new FoundProcesses(around, this.#places);
    this.#fresh = new FreshSets({ ...around, doors, places: this.#places });
    for (const container of subtree(store.registry.root)) this.#shown.add(container);
    store.onCommit((changes) => {
      for (const change of changes) this.#hear(change);
    });
  }

  ready(): Promise<void> {
    return (this.#ready ??= this.#survey());
  }

  /** Until when the next round can wait unless an event comes; -Infinity if it cannot. */
  get quietUntilMs(): number {
    const { fresh, emptied } = this.observer.sets;
    return this.#swept && fresh.size === 0 && emptied.size === 0 ? this.observer.quietUntilMs : -Infinity;
  }

  /** One look, and what follows from it. `rounds`: see {@link Observer.round}. */
  async round(rounds = 1): Promise<void> {
    const stirred = await this.observer.round(performance.now(), rounds);
    if (!this.#swept) this.#sweep();
    if (stirred) for (const container of this.#checks.next(CHECKED_PER_ROUND)) this.#check(container);
    for (const set of [...this.observer.sets.emptied]) this.#emptied(set);
    await this.#fresh.show();
  }

  within(pid: Pid, declared: Container, sight?: Sight): Container {
    return this.#processes.within(pid, declared, sight);
  }

  withCaller(thread: Pid, declared: Container, sight: CallerSight): Container {
    return this.#processes.withCaller(thread, declared, sight);
  }

  async processesBelow(container: Container): Promise<Pid[]> {
    await this.ready();
    return await this.#processes.below(container);
  }

  lookAround(): Promise<void> {
    return this.#processes.lookAround();
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
    await this.#fresh.showAll();
    for (const container of [...this.#shown.values()].reverse()) {
      if (!this.observer.sets.of(container.serial)) this.#lose(container);
    }
    const ms = Math.round(performance.now() - begun);
    log.info({ processes: this.observer.sets.size, found: this.#shown.size, ms }, 'the first picture of the machine');
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
    if (next)
      pin(this.#doors, container, { key: set.key, init: next, mark: markOf(this.#doors.kernel, next, set.key) });
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
        if (isLive(at)) commitFound(this.#doors, { op: 'phase', serial, phase: 'stopped', at: now() });
        return;
      }
      if (!parent || !commitFound(this.#doors, { op: 'lost', serial, parent: parent.serial, at: now() })) return;
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
}
