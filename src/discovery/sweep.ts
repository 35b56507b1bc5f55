import type { Pid } from '../ids.ts';
import { Rotation } from '../rotation.ts';
import type { Member } from './sets.ts';

/** Old processes that are asked in one round whether they ran; half a microsecond each. */
export const SWEPT_PER_ROUND = 256;

/** Of those that did, so many are looked at again; the sweep goes on behind them in the next round. */
export const GLANCED_PER_ROUND = 8;

/**
 * Goes through old processes in turns, for such as make namespaces late and silently: who used no time of any processor
 * since it was looked at has called nothing.
 */
export class Sweep {
  readonly #members: Rotation<Member>;
  readonly #timeOf: (pid: Pid) => number | undefined;

  /** `timeOf`: time of processors that a process has used, in nanoseconds; `undefined` if nobody tells. */
  constructor(members: () => Iterator<Member>, timeOf: (pid: Pid) => number | undefined) {
    this.#members = new Rotation(members);
    this.#timeOf = timeOf;
  }

  /** The next that are to be looked at. `rounds`: of so many this is the last, the others were left out. */
  next(rounds: number): Member[] {
    const ran: Member[] = [];
    for (let left = SWEPT_PER_ROUND * rounds; left > 0 && ran.length < GLANCED_PER_ROUND * rounds; left--) {
      const member = this.#members.one();
      if (!member) break;
      const timeNs = this.#timeOf(member.pid);
      if (timeNs !== undefined && timeNs === member.timeNs) continue;
      member.timeNs = timeNs;
      ran.push(member);
    }
    return ran;
  }
}
