import { partsOf, type SetKey } from '../discovery/key.ts';
import type { Observer } from '../discovery/observer.ts';
import { OwnCgroups } from '../discovery/own-cgroups.ts';
import { cgroupPaths, likelyMaker, type Candidate } from '../discovery/parentage.ts';
import type { Member, NsSet } from '../discovery/sets.ts';
import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { NAMESPACE_KINDS } from '../namespaces.ts';
import { namespaceInode } from '../proc/process.ts';
import { readCgroups } from '../proc/scan.ts';
import { contains, type Container } from './container.ts';
import type { Shown } from './found-shown.ts';
import type { Registry } from './registry.ts';

/** Of a set's oldest processes, how many are looked at for one that lives in its pid namespace. */
const INIT_CANDIDATES_LIMIT = 8;

const PID_PART = NAMESPACE_KINDS.findIndex(({ kind }) => kind === 'pid');

export interface Surroundings {
  readonly files: FileAccess;
  readonly registry: Registry;
  readonly observer: Observer;
  readonly shown: Shown;
}

/** Where sets of namespaces belong in the tree. */
export class Places {
  readonly #around: Surroundings;
  readonly #ownCgroups: OwnCgroups;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#ownCgroups = new OwnCgroups(() => this.#machinesCgroups());
  }

  /** The container of the set, or of the nearest one above that has a container. */
  containerOf(set: NsSet | undefined): Container {
    const { registry, observer } = this.#around;
    const { sets } = observer;
    for (let at = sets.shown(set); ; at = sets.shown(at.parent)) {
      const container = at.serial === undefined ? undefined : registry.get(at.serial);
      if (container) return container;
      if (at === sets.machine) return registry.root;
    }
  }

  /** The container below which a set belongs whose oldest process is in the cgroup of `declared`. */
  parentFor(set: NsSet, oldest: Member, declared: Container, cgroup: string): Container {
    const { set: told } = this.#around.observer.originOf(set);
    let maker = this.containerOf(told ?? oldest.origin);
    if (!maker.parent && oldest.orphan && !told) maker = this.#guess(set, oldest, cgroup) ?? maker;
    return contains(declared, maker) ? maker : declared;
  }

  /** Text of /proc/PID/cgroup of the process's parent; of the machine's init where that is gone. */
  makersCgroup(oldest: Member): string {
    const { files, observer } = this.#around;
    return readCgroups(files, observer.sets.member(oldest.ppid)?.pid ?? (1 as Pid));
  }

  /** The oldest process that lives in the set's own pid namespace, where it has one: its parent may be in the set too. */
  initOf(set: NsSet): Member | undefined {
    const own = partsOf(set.key)[PID_PART];
    const byAge = [...set.members].sort((a, b) => a.startTime - b.startTime || a.pid - b.pid);
    return byAge.slice(0, INIT_CANDIDATES_LIMIT).find(({ pid }) => this.#pidNamespaceOf(pid) === own);
  }

  /** Who may have made a set whose first process is an orphan. */
  #guess(set: NsSet, oldest: Member, cgroup: string): Container | undefined {
    const { machine } = this.#around.observer.sets;
    const orphan = { key: set.key, startTime: oldest.startTime, cgroups: cgroupPaths(cgroup) };
    return likelyMaker(orphan, this.#candidates(set), machine.key)?.container;
  }

  *#candidates(orphan: NsSet): Generator<Candidate & { readonly container: Container }> {
    const { observer, shown } = this.#around;
    const { sets } = observer;
    const at = performance.now();
    for (const container of shown.values()) {
      const set = sets.of(container.serial);
      const first = set && sets.oldest(set);
      if (!set || !first || set === orphan || !this.#isWithMachine(set, sets.machine.key)) continue;
      const cgroups = this.#ownCgroups.of(first.cgroup, at);
      yield { container, key: set.key, startTime: first.startTime, cgroups };
    }
  }

  *#machinesCgroups(): Generator<string> {
    const { files, observer } = this.#around;
    for (const { pid } of observer.sets.machine.members) yield readCgroups(files, pid);
  }

  /** Whether the machine's init takes in orphans of some of its processes. */
  #isWithMachine(set: NsSet, machine: SetKey): boolean {
    const machines = partsOf(machine)[PID_PART];
    // Whose children will be in the machine's is there too: nobody goes back up.
    if (partsOf(set.key)[PID_PART] === machines) return true;
    for (const { pid } of set.members) if (this.#pidNamespaceOf(pid) === machines) return true;
    return false;
  }

  #pidNamespaceOf(pid: Pid): string {
    return String(namespaceInode(this.#around.files, pid, 'pid'));
  }
}
