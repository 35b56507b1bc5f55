import type { NsSet } from '../discovery/sets.ts';
import { keyOf } from '../discovery/key.ts';
import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { forEachPaced } from '../pace.ts';
import { allPidsMeanwhile } from '../proc/census.ts';
import { readLinks, readProcess } from '../proc/scan.ts';
import type { CallerSight, Sight } from '../proc/sight.ts';
import { contains, type Container } from './container.ts';
import type { Places, Surroundings } from './found-place.ts';

/** Who is in which container by their namespaces, by looking again. */
export class FoundProcesses {
  readonly #around: Surroundings;
  readonly #places: Places;

  constructor(around: Surroundings, places: Places) {
    this.#around = around;
    this.#places = places;
  }

  within(pid: Pid, declared: Container, sight?: Sight): Container {
    const { shown, observer } = this.#around;
    if (shown.size === 0) return declared;
    return this.#deepest(observer.look(pid, performance.now(), sight)?.set ?? this.#setOfThread(pid), declared);
  }

  withCaller(thread: Pid, declared: Container, sight: CallerSight): Container {
    const { shown } = this.#around;
    const set = shown.size === 0 ? undefined : this.#setOfThread(thread, sight.links);
    return set ? this.#deepest(set, declared) : this.within(thread, declared);
  }

  #deepest(set: NsSet | undefined, declared: Container): Container {
    const found = this.#places.containerOf(set);
    return found.found || contains(declared, found) ? found : declared;
  }

  async below(container: Container): Promise<Pid[]> {
    const { observer } = this.#around;
    const at = performance.now();
    observer.catchUp(at);
    const below: Pid[] = [];
    await forEachPaced([...observer.sets.members()], (member) => {
      if (member.alive && this.#isOf(member.set, container) && this.isBelow(member.pid, container)) {
        below.push(member.pid);
      }
    });
    return below;
  }

  async lookAround(): Promise<void> {
    const { files, observer } = this.#around;
    const at = performance.now();
    await forEachPaced(await allPidsMeanwhile(files), (pid) => {
      const known = observer.sets.member(pid);
      if (!known || readProcess(files, pid)?.startTime !== known.startTime) observer.look(pid, at);
    });
  }

  isBelow(pid: Pid, container: Container): boolean {
    const member = this.#around.observer.look(pid, performance.now());
    return member?.alive === true && this.#isOf(member.set, container);
  }

  async of({ serial }: Container): Promise<Pid[]> {
    const { observer } = this.#around;
    const at = performance.now();
    observer.catchUp(at);
    const set = observer.sets.of(serial);
    const own: Pid[] = [];
    await forEachPaced([...(set?.members ?? [])], (member) => {
      observer.look(member.pid, at);
      if (member.alive && member.set === set) own.push(member.pid);
    });
    return own.sort((a, b) => a - b);
  }

  /** Callers are known by thread. */
  #setOfThread(
    thread: Pid,
    links: readonly string[] | undefined = readLinks(this.#around.files, thread),
  ): NsSet | undefined {
    const { observer } = this.#around;
    return links && observer.sets.get(keyOf(links, { pid: thread, startTime: 0 }));
  }

  /** Whether processes of the set die with the container by their namespaces, and not by a cgroup. */
  #isOf(set: NsSet, container: Container): boolean {
    if (set === this.#around.observer.sets.machine) return false;
    const own = this.#places.containerOf(set);
    const isOurs = own.found !== undefined || set.serial === undefined;
    return own.serial !== ROOT_SERIAL && isOurs && contains(container, own);
  }
}
