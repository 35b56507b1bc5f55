import { FsError } from '../errno.ts';
import { contains, type Container } from './container.ts';

/** How long a verb waits for another one on the same container, one above or one below it. */
export const LOCK_WAIT_MS = 5_000;

/** Verbs waiting at once; more are refused with EBUSY. */
const WAITERS_LIMIT = 16_384;

interface Holder {
  readonly containers: readonly Container[];
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

  /** Runs `body` alone on the containers' lines. `verb` says what it does: `start "web"`. EBUSY after {@link LOCK_WAIT_MS}. */
  async hold<T>(on: Container | readonly Container[], verb: string, body: () => Promise<T>): Promise<T> {
    const holder = { containers: [on].flat(), verb };
    if (this.#blocked(holder)) await this.#wait(holder);
    else this.#holders.add(holder);
    try {
      return await body();
    } finally {
      this.#holders.delete(holder);
      this.#grant();
    }
  }

  /** The verb under way on these containers' lines, if there is one. */
  current(...containers: readonly Container[]): string | undefined {
    for (const other of this.#holders) if (exclude(other, { containers, verb: '' })) return other.verb;
    return undefined;
  }

  #blocked(holder: Holder): boolean {
    for (const other of this.#holders) if (exclude(other, holder)) return true;
    for (const waiter of this.#waiters) if (exclude(waiter.holder, holder)) return true;
    return false;
  }

  async #wait(holder: Holder): Promise<void> {
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
        const busy = this.current(...holder.containers) ?? 'do something else';
        reject(new FsError('EBUSY', `Cannot ${holder.verb}: still busy, to ${busy}; try again`));
        this.#grant();
      }, LOCK_WAIT_MS);
      this.#waiters.add(waiter);
    });
  }

  /** Lets the longest waiting go on whom nobody ahead of them blocks. A granted one holds at once, so nobody slips in. */
  #grant(): void {
    const ahead: Holder[] = [...this.#holders];
    for (const waiter of [...this.#waiters]) {
      if (!ahead.some((other) => exclude(other, waiter.holder))) {
        this.#waiters.delete(waiter);
        waiter.grant();
      }
      ahead.push(waiter.holder);
    }
  }
}

function exclude(a: Holder, b: Holder): boolean {
  return a.containers.some((one) => b.containers.some((other) => contains(one, other) || contains(other, one)));
}
