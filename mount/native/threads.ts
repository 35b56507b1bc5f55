import { readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long threads may take to end, once the kernel has told them that the mount is gone, and how often to look. */
const END_LIMIT_MS = 1_000;
const LOOK_EVERY_MS = 10;

/** The library's threads, which it never waits for: those that came after this was made. */
export class LibraryThreads {
  readonly #before: ReadonlySet<string>;

  private constructor(before: ReadonlySet<string>) {
    this.#before = before;
  }

  /** To be called before the library makes any. Node's own pool comes whole with its first work. */
  static async watch(): Promise<LibraryThreads> {
    await stat('/');
    return new LibraryThreads(new Set(threads()));
  }

  get count(): number {
    return threads().filter((id) => !this.#before.has(id)).length;
  }

  /** Whether all have ended; after a while it is not waited any longer, since a copy of the mount may live elsewhere. */
  async ended(): Promise<boolean> {
    const end = performance.now() + END_LIMIT_MS;
    while (this.count > 0) {
      if (performance.now() > end) return false;
      await sleep(LOOK_EVERY_MS);
    }
    return true;
  }
}

function threads(): string[] {
  return readdirSync('/proc/self/task');
}
