import { uptime } from 'node:os';
import type { Pid } from '../ids.ts';
import { monotonicSec } from '../time.ts';
import { CLOCK_SLACK_SEC, type Lineage, type Sighting } from './lineage.ts';
import type { NsSet } from './sets.ts';
import type { TimedEvent } from './trace-line.ts';

/** USER_HZ (sysconf(3), _SC_CLK_TCK). */
const TICKS_PER_SEC = 100;

/** Looks that wait for events; beyond it the first is forgotten. */
export const SIGHTINGS_LIMIT = 16_384;

/** A look at a process of which nothing was to be seen. */
interface Missing {
  readonly pid: Pid;
  readonly set: undefined;
  readonly toSec: number;
}

/**
 * What looks at /proc said, until all that happened before them was heard: events come late, and a look that runs ahead of
 * them would tell of a stage that has not begun.
 */
export class Sightings {
  readonly #lineage: Lineage;
  #waiting: (Sighting | Missing)[] = [];
  /** Processes that changed just while they were looked at. */
  readonly again = new Set<Pid>();
  /** Sets that are no more: others have their numbers. */
  readonly ended = new Set<NsSet>();

  constructor(lineage: Lineage) {
    this.#lineage = lineage;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** A process was seen in `set` after `fromSec` and before now. */
  add({ pid, startTime }: { readonly pid: Pid; readonly startTime: number }, set: NsSet, fromSec: number): void {
    if (!this.#lineage.needs(pid, set)) return;
    this.#push({ pid, startTime, set, fromSec, toSec: monotonicSec() });
  }

  /** Nobody was to be seen of this pid just now. What it did before may still be to be heard. */
  addMissing(pid: Pid): void {
    if (!this.#lineage.awaits(pid)) return;
    this.#push({ pid, set: undefined, toSec: monotonicSec() });
  }

  /** The next event, in the order in which things happened. */
  hear(event: TimedEvent): void {
    let known = 0;
    for (const sighting of this.#waiting) {
      if (sighting.toSec + CLOCK_SLACK_SEC >= event.atSec) break;
      known += 1;
      if (!sighting.set) this.#lineage.hide(sighting.pid);
      else this.#bind(sighting);
    }
    if (known > 0) this.#waiting.splice(0, known);
    this.#lineage.apply(event);
  }

  #bind(sighting: Sighting): void {
    const verdict = this.#lineage.bind(sighting);
    if (verdict === 'look again') this.again.add(sighting.pid);
    if (verdict === 'other set') this.ended.add(sighting.set);
  }

  #push(seen: Sighting | Missing): void {
    this.#waiting.push(seen);
    if (this.#waiting.length > SIGHTINGS_LIMIT) this.#waiting.shift();
  }

  /** What was looked at before now will not be told of. */
  listen(): void {
    this.#waiting = [];
    this.#lineage.listen(uptime() * TICKS_PER_SEC);
  }
}
