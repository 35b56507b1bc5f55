import { markOf } from '../discovery/identity.ts';
import { differingKinds } from '../discovery/key.ts';
import type { Observer } from '../discovery/observer.ts';
import type { Member, NsSet } from '../discovery/sets.ts';
import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { isNamespaceKind } from '../namespaces.ts';
import { forEachPaced } from '../pace.ts';
import { readStat, readStatus } from '../proc/process.ts';
import { readCgroups } from '../proc/scan.ts';
import { now } from '../time.ts';
import { chainOf, type Container } from './container.ts';
import { commitFound, pin, pinned, type FoundDoors } from './found-commit.ts';
import { nameFor } from './found-name.ts';
import type { Places } from './found-place.ts';
import type { Shown } from './found-shown.ts';

/** How long a set waits for the one it was made in to be shown, and for events and looks that may tell which that is. */
const MAKER_WAIT_MS = 150;

/** The same where events come: they are to be waited for also on a busy machine. */
const EVENTS_WAIT_MS = 2_000;

/** The same where every event tells: a guess would be no better for coming sooner. */
const EXACT_WAIT_MS = 10_000;

/** A set whose showing failed, for want of room in the journal, is tried again after this. */
const AGAIN_MS = 1_000;

const DISCOVERED_MODE = 0o755;

export interface FreshOptions {
  readonly doors: FoundDoors;
  readonly observer: Observer;
  readonly shown: Shown;
  readonly places: Places;
}

/** Sets of namespaces that no container stands for yet: when each becomes one, and which. */
export class FreshSets {
  readonly #doors: FoundDoors;
  readonly #observer: Observer;
  readonly #shown: Shown;
  readonly #places: Places;
  readonly #owner = new WeakMap<NsSet, number>();
  readonly #failedAtMs = new WeakMap<NsSet, number>();
  readonly #ofParts = new WeakSet<NsSet>();

  constructor({ doors, observer, shown, places }: FreshOptions) {
    this.#doors = doors;
    this.#observer = observer;
    this.#shown = shown;
    this.#places = places;
  }

  /** Those of the first picture; parents are shown before what they made. */
  async showAll(): Promise<void> {
    const ageOf = (set: NsSet) => this.#observer.sets.oldest(set)?.startTime ?? 0;
    const fresh = [...this.#observer.sets.fresh].sort((a, b) => ageOf(a) - ageOf(b));
    await forEachPaced(fresh, (set) => {
      this.#show(set);
    });
  }

  /** Those whose time has come. */
  async show(): Promise<void> {
    const at = performance.now();
    const { sets, showAfterMs } = this.#observer;
    const due = [...sets.fresh].filter(({ seenAtMs, members }) => members.size > 0 && at - seenAtMs >= showAfterMs);
    let unshown = 0;
    // Those that others came of first.
    due.sort((a, b) => (a.stage?.number ?? 0) - (b.stage?.number ?? 0));
    await forEachPaced(due, (set) => {
      if (this.#show(set) === 'too many') unshown += 1;
    });
    const { root } = this.#doors.store.registry;
    if (root.unshown !== unshown) commitFound(this.#doors, { op: 'unshown', serial: ROOT_SERIAL, count: unshown });
  }

  /** Makes a container for the set, or finds the one it was, unless its time has not come. */
  #show(set: NsSet): 'too many' | undefined {
    if (set.serial !== undefined || set.members.size === 0) return undefined;
    if (set.seenAtMs + this.#pauseMs(set) > performance.now()) return undefined;
    const known = this.#owner.get(set);
    if (known !== undefined && this.#shown.isFull(known)) return 'too many';
    const oldest = this.#observer.liveOldest(set, performance.now());
    const { files, kernel, store, declaredOf } = this.#doors;
    if (!oldest || this.#awaitsMaker(set, oldest) || this.#isOfPart(set)) return undefined;
    const init = this.#places.initOf(set) ?? oldest;
    const cgroup = readCgroups(files, init.pid);
    const declared = declaredOf(cgroup);
    // Being started, or nobody knows any more which namespaces are its own.
    if (declared.parent && !declared.init) return undefined;
    // Just started: these are about to be known as its own.
    if (!declared.found && declared.init?.pid === init.pid) return undefined;
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
    // Who was its parent when it was first seen may have ended: a runtime, which hands it over to its monitor.
    const ppid = (readStat(files, oldest.pid)?.ppid ?? oldest.ppid) as Pid;
    const name = nameFor(files, parent, { cgroup, makersCgroup: this.#places.makersCgroup(oldest), ppid });
    if (name === undefined) return undefined;
    const serial = store.registry.nextSerial;
    const [gid = 0] = status.gids;
    const node = { serial, parent: parent.serial, name, mode: DISCOVERED_MODE, uid, gid, key: set.key, mark };
    const kinds = differingKinds(
      set.key,
      this.#observer.sets.of(parent.serial)?.key ?? this.#observer.sets.machine.key,
    );
    if (!commitFound(this.#doors, { op: 'found', ...node, init: pinned(init), kinds, at: now() })) {
      this.#failedAtMs.set(set, performance.now());
      return undefined;
    }
    this.#observer.sets.stand(set, serial);
    const made = store.registry.get(serial);
    if (made) this.#doors.events.emit(made, 'created');
    return undefined;
  }

  /** Who entered a part of a container stays a member of where he was, and so does what he starts. */
  #isOfPart(set: NsSet): boolean {
    const { entered } = this.#doors.store.registry;
    if (this.#ofParts.has(set)) return true;
    if (entered.size === 0) return false;
    const isOne = ({ pid, startTime }: Member) => {
      const noted = entered.get(pid);
      return noted?.startTime === startTime && isNamespaceKind(noted.by);
    };
    if ([...set.members].some(isOne)) this.#ofParts.add(set);
    return this.#ofParts.has(set);
  }

  /** It is not known yet where it came from, or that is about to be shown: it may have been seen later. */
  #awaitsMaker(set: NsSet, oldest: Member): boolean {
    const observer = this.#observer;
    const at = performance.now();
    if (at - set.seenAtMs >= waitMs(observer)) return false;
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
    if (this.#observer.sets.of(known.serial)?.members.size) return;
    this.#observer.sets.stand(set, known.serial);
    const same = known.init?.pid === init.pid && known.init.startTime === init.startTime;
    if (known.phase === 'removing') return;
    if (!same || known.found?.key !== set.key) pin(this.#doors, known, { key: set.key, init, mark });
  }
}

function waitMs({ exact, isTracing }: Observer): number {
  if (exact) return EXACT_WAIT_MS;
  return isTracing ? EVENTS_WAIT_MS : MAKER_WAIT_MS;
}
