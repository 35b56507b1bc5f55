import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { readLinks } from '../proc/scan.ts';
import { differs, type Identity } from './identity.ts';
import { keyOf, type SetKey } from './key.ts';
import type { Member, NsSet, Sets } from './sets.ts';

/** Sets that are asked in one round whether they are still the same; some hundred microseconds each. */
export const SETTLED_PER_ROUND = 1;

export interface RenewalOptions {
  readonly files: FileAccess;
  readonly sets: Sets;
  /** What tells the namespaces of a process that is in `key` from others that had these numbers. */
  readonly identityOf: (pid: Pid, key: SetKey) => Identity;
  /** Whether a process is known to make no namespaces any more: as long as it lives, nobody else has its set's numbers. */
  readonly isSteady: (member: Member) => boolean;
  /** A process may be elsewhere by now. */
  readonly doubted: (pid: Pid) => void;
}

/**
 * Tells a set of namespaces from a later one that has its numbers. The kernel gives the lowest that is free: who makes
 * namespaces twice in a row has those of the first ones again, and seems not to have gone anywhere.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  /** Sets of which an old process ran since they were asked; as many as there are at most. */
  readonly #unsettled = new Set<NsSet>();

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** An old process ran, and is where it was, by the numbers. */
  ran({ set }: Member): void {
    if (set !== this.#options.sets.machine) this.#unsettled.add(set);
  }

  /** Something was heard that makes it doubtful whether a process is where it was. */
  doubt({ set }: Member): void {
    if (set !== this.#options.sets.machine) set.isDoubtful = true;
  }

  /** Sets that somebody is to look at now, so that they are asked. `rounds`: as many at once. */
  *next(rounds: number): Generator<NsSet> {
    let left = SETTLED_PER_ROUND * rounds;
    for (const set of this.#unsettled) {
      if (left === 0) return;
      this.#unsettled.delete(set);
      const first = this.#options.sets.oldest(set);
      if (!first || this.#options.isSteady(first)) continue;
      left -= 1;
      set.isDoubtful = true;
      yield set;
    }
  }

  /** The member was seen with the numbers of its set just now. */
  settle(member: Member, nowMs: number): void {
    const { set } = member;
    if (set === this.#options.sets.machine || (set.identity && !set.isDoubtful)) return;
    const identity = this.#identity(member);
    // It changes just now.
    if (!identity) return;
    set.isDoubtful = false;
    if (!set.identity) set.identity = identity;
    else if (differs(set.identity, identity)) this.renew(set, nowMs).identity = identity;
  }

  /** The set is no more: who is seen with its numbers is in another one, and is to be looked at once more. */
  renew(set: NsSet, nowMs: number): NsSet {
    const renewed = this.#options.sets.renew(set, nowMs);
    for (const { pid } of renewed.members) this.#options.doubted(pid);
    return renewed;
  }

  /** `undefined` if the process has other numbers by now. */
  #identity(member: Member): Identity | undefined {
    const { pid, set } = member;
    const identity = this.#options.identityOf(pid, set.key);
    const links = readLinks(this.#options.files, pid);
    return links && keyOf(links, member) === set.key ? identity : undefined;
  }
}
