import { FsError } from '../errno.ts';
import type { Container } from './container.ts';

/** How long a verb waits for another one on the same container, one above or one below it. */
export const LOCK_WAIT_MS = 5_000;

/** Verbs waiting at once; more are refused with EBUSY. */
const WAITERS_LIMIT = 16_384;

/** A verb that works, or waits for its turn. */
interface Entry {
  readonly verb: string;
  readonly containers: readonly Container[];
  /** Its place in the order of arrival. */
  order: number;
  /** From each of its containers up to the machine, as it is entered in the indexes. */
  lines: readonly (readonly Container[])[];
  /** Absent: it works. */
  grant: (() => void) | undefined;
}

/**
 * Verbs on one line of descent go one after the other, in the order of their arrival; elsewhere in the tree they go side
 * by side. The wait is bounded: the kernel holds a directory's lock during rmdir and rename, which a start may need.
 *
 * Whether a verb has to wait is told by those of its own line alone, however many there are beside it: the first of those
 * on each container above it, and the first of those below its own.
 */
export class Locks {
  /** Verbs by the container they are on, in the order of their arrival, whether they work or wait. */
  readonly #on = new Map<Container, Set<Entry>>();
  /** The same by each container that they are on or below. */
  readonly #within = new Map<Container, Set<Entry>>();
  #arrived = 0;
  #waiting = 0;

  /** Runs `body` alone on the containers' lines. `verb` says what it does: `start "web"`. EBUSY after {@link LOCK_WAIT_MS}. */
  async hold<T>(on: Container | readonly Container[], verb: string, body: () => Promise<T>): Promise<T> {
    const entry: Entry = { containers: [on].flat(), verb, order: 0, lines: [], grant: undefined };
    this.#add(entry);
    try {
      if (this.#isBlocked(entry)) await this.#wait(entry);
      return await body();
    } finally {
      this.#remove(entry);
      this.#wake(entry.lines);
    }
  }

  /** The verb under way on these containers' lines, if there is one. */
  current(...containers: readonly Container[]): string | undefined {
    for (const container of containers) {
      for (const above of lineOf(container)) {
        const [first] = this.#on.get(above) ?? [];
        if (first && !first.grant) return first.verb;
      }
      for (const below of this.#within.get(container) ?? []) if (!below.grant) return below.verb;
    }
    return undefined;
  }

  #isBlocked(entry: Entry): boolean {
    return entry.lines.some((line) => {
      const [own] = line;
      const isBelow = own !== undefined && isBehindFirst(entry, this.#within.get(own));
      return isBelow || line.some((above) => isBehindFirst(entry, this.#on.get(above)));
    });
  }

  async #wait(entry: Entry): Promise<void> {
    if (this.#waiting >= WAITERS_LIMIT) {
      throw new FsError('EBUSY', `${WAITERS_LIMIT} operations are waiting already; try again later`);
    }
    this.#waiting += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          const busy = this.current(...entry.containers) ?? 'do something else';
          reject(new FsError('EBUSY', `Cannot ${entry.verb}: still busy, to ${busy}; try again`));
          entry.grant = undefined;
        }, LOCK_WAIT_MS);
        entry.grant = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Lets go on who was blocked by an entry of these lines and is not any more. One that goes on works at once, so nobody slips in. */
  #wake(lines: Entry['lines']): void {
    for (const [own, ...above] of lines) {
      if (own) this.#wakeWithin(own);
      for (const container of above) {
        // Those behind it are on the same container, and blocked by it.
        const [first] = this.#on.get(container) ?? [];
        if (first) this.#grant(first);
      }
    }
  }

  #wakeWithin(container: Container): void {
    for (const entry of this.#within.get(container) ?? []) {
      this.#grant(entry);
      // It blocks all that are behind it.
      if (entry.containers.includes(container)) return;
    }
  }

  #grant(entry: Entry): void {
    if (!entry.grant) return;
    if (hasMoved(entry)) {
      const { lines } = entry;
      this.#remove(entry);
      // Behind all: who is ahead of it in its new place was not before.
      this.#add(entry);
      this.#wake(lines);
      this.#grant(entry);
      return;
    }
    if (this.#isBlocked(entry)) return;
    const { grant } = entry;
    entry.grant = undefined;
    grant();
  }

  #add(entry: Entry): void {
    entry.order = ++this.#arrived;
    entry.lines = entry.containers.map(lineOf);
    for (const line of entry.lines) {
      for (const [index, container] of line.entries()) {
        if (index === 0) addTo(this.#on, container, entry);
        addTo(this.#within, container, entry);
      }
    }
  }

  #remove(entry: Entry): void {
    for (const line of entry.lines) {
      for (const container of line) {
        removeFrom(this.#on, container, entry);
        removeFrom(this.#within, container, entry);
      }
    }
  }
}

/** The container and all it is in, the machine last. */
function lineOf(container: Container): Container[] {
  const line: Container[] = [];
  for (let at: Container | undefined = container; at; at = at.parent) line.push(at);
  return line;
}

/** Whether one of its containers, or one that those are in, is in another one since. */
function hasMoved({ lines }: Entry): boolean {
  return lines.some((line) => line.some((container, index) => container.parent !== line[index + 1]));
}

function isBehindFirst(entry: Entry, entries: ReadonlySet<Entry> | undefined): boolean {
  if (!entries) return false;
  const [first] = entries;
  return first !== undefined && first.order < entry.order;
}

function addTo(index: Map<Container, Set<Entry>>, container: Container, entry: Entry): void {
  const entries = index.get(container);
  if (entries) entries.add(entry);
  else index.set(container, new Set([entry]));
}

function removeFrom(index: Map<Container, Set<Entry>>, container: Container, entry: Entry): void {
  const entries = index.get(container);
  if (entries?.delete(entry) === true && entries.size === 0) index.delete(container);
}
