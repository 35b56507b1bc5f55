import { FsError } from '../errno.ts';
import { contains, pathOf, type Container } from './container.ts';

/** How long a verb waits for another one on the same container, one above or one below it. */
export const LOCK_WAIT_MS = 5_000;

/** Verbs waiting at once; more are refused with EBUSY. */
const WAITERS_LIMIT = 16_384;

interface Holder {
  readonly container: Container;
  readonly verb: string;
}

interface Waiter {
  readonly holder: Holder;
  readonly grant: () => void;
}

/**
 * Verbs on one line of descent go one after the other, in the order of their arrival; elsewhere in the tree they go side
 * by side. The wait is bounded: the kernel holds a directory's lock during rmdir and rename, which a start may need.
 */
export class Locks {
  readonly #holders = new Set<Holder>();
  readonly #waiters = new Set<Waiter>();

  /** Runs `body` alone on the containers' lines. Throws EBUSY after {@link LOCK_WAIT_MS}. */
  async hold<T>(container: Container, verb: string, body: () => Promise<T>): Promise<T> {
    const holder = { container, verb };
    if (this.#blocked(container)) await this.#wait(holder);
    else this.#holders.add(holder);
    try {
      return await body();
    } finally {
      this.#holders.delete(holder);
      this.#grant();
    }
  }

  /** The verb under way on this container's line, if there is one. */
  current(container: Container): string | undefined {
    for (const holder of this.#holders) if (onOneLine(holder.container, container)) return holder.verb;
    return undefined;
  }

  #blocked(container: Container): boolean {
    for (const holder of this.#holders) if (onOneLine(holder.container, container)) return true;
    for (const waiter of this.#waiters) if (onOneLine(waiter.holder.container, container)) return true;
    return false;
  }

  async #wait(holder: Holder): Promise<void> {
    const { container, verb } = holder;
    if (this.#waiters.size >= WAITERS_LIMIT) {
      throw new FsError('EBUSY', `${WAITERS_LIMIT} operations are waiting already; try again later`);
    }
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        holder,
        grant: () => {
          clearTimeout(timer);
          this.#holders.add(holder);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        const busy = this.current(container) ?? 'another operation';
        reject(new FsError('EBUSY', `Cannot ${verb} "${pathOf(container)}": still busy with: ${busy}; try again`));
      }, LOCK_WAIT_MS);
      this.#waiters.add(waiter);
    });
  }

  /** Lets the longest waiting go on whom nobody ahead of them blocks. A granted one holds at once, so nobody slips in. */
  #grant(): void {
    const ahead: Holder[] = [...this.#holders];
    for (const waiter of [...this.#waiters]) {
      if (!ahead.some((other) => onOneLine(other.container, waiter.holder.container))) {
        this.#waiters.delete(waiter);
        waiter.grant();
      }
      ahead.push(waiter.holder);
    }
  }
}

function onOneLine(a: Container, b: Container): boolean {
  return contains(a, b) || contains(b, a);
}
