import type { Pid } from '../ids.ts';
import type { Container } from './container.ts';
import type { Entered } from './entered.ts';

/** Processes that entered from outside, the longest known first; by pid, and by the container that each entered. */
export class EnteredIndex {
  readonly #byPid = new Map<Pid, Entered>();
  readonly #byContainer = new Map<Container, Set<Pid>>();

  get byPid(): ReadonlyMap<Pid, Entered> {
    return this.#byPid;
  }

  /** In the place of what was known of its pid, and behind all others. */
  add(entered: Entered): void {
    const { pid, container } = entered;
    this.delete(pid);
    this.#byPid.set(pid, entered);
    const inside = this.#byContainer.get(container);
    if (inside) inside.add(pid);
    else this.#byContainer.set(container, new Set([pid]));
  }

  delete(pid: Pid): void {
    const entered = this.#byPid.get(pid);
    if (!entered) return;
    this.#byPid.delete(pid);
    const inside = this.#byContainer.get(entered.container);
    inside?.delete(pid);
    if (inside?.size === 0) this.#byContainer.delete(entered.container);
  }

  /** The container is gone. */
  forget(container: Container): void {
    for (const pid of this.#byContainer.get(container) ?? []) this.#byPid.delete(pid);
    this.#byContainer.delete(container);
  }
}
