import { FsError } from '../errno.ts';
import { type Journal } from '../journal/journal.ts';
import type { Change, Commit } from './change.ts';
import { Registry } from './registry.ts';

/** A journal is rewritten when it is larger than this and mostly history. */
const REWRITE_ABOVE_BYTES = 1 << 20;
const REWRITE_RATIO = 4;

/** A commit of one change without names has less. */
const COMMIT_BYTES = 256;

/** Requests whose outcome is remembered; the kernel has far fewer under way at once (`max_background`, waiting threads). */
const DONE_LIMIT = 8192;

/**
 * The registry with its journal: every change is written down before it is made, and told to whoever replicates it.
 * Belongs to the main thread.
 */
export class Store {
  readonly registry: Registry;
  /** Whether the journal's end was lost: there may be containers that it does not tell of. */
  readonly wasTorn: boolean;
  readonly #journal: Journal<Commit>;
  readonly #listeners: ((changes: readonly Change[]) => void)[] = [];
  readonly #done = new Set<number>();
  #rewriteAt = REWRITE_ABOVE_BYTES;

  constructor(journal: Journal<Commit>, history: readonly Commit[], wasTorn = false) {
    this.registry = new Registry();
    this.wasTorn = wasTorn;
    this.#journal = journal;
    for (const { changes, done } of history) {
      for (const change of changes) this.registry.apply(change);
      if (done !== undefined) this.#remember(done);
    }
    this.#rewrite();
  }

  /**
   * Makes the changes. `done` is the number of the request they carry out. Throws what the journal throws, ENOSPC above
   * all, also if there is no room for `more` commits that will follow what cannot be undone; then nothing was changed.
   */
  commit(changes: readonly Change[], done?: number, more = 0): void {
    this.#journal.append(done === undefined ? { changes } : { changes, done }, more * COMMIT_BYTES);
    for (const change of changes) this.registry.apply(change);
    if (done !== undefined) this.#remember(done);
    for (const listener of this.#listeners) listener(changes);
    if (this.#journal.bytes > this.#rewriteAt) this.#rewrite();
  }

  /**
   * To be asked before what cannot be undone is done, and then written down by `commits` commits. Throws as `commit` if
   * there is no room for that.
   */
  requireRoom(commits: number): void {
    this.#journal.requireRoom(commits * COMMIT_BYTES);
  }

  /** Whether the request of this number was carried out, by this daemon or a former one over the same device. */
  wasDone(unique: number): boolean {
    return this.#done.has(unique);
  }

  /** A new device counts its requests from the beginning: what an old one's numbers meant is forgotten. */
  forgetDone(): void {
    this.#done.clear();
    this.#rewrite();
  }

  onCommit(listener: (changes: readonly Change[]) => void): void {
    this.#listeners.push(listener);
  }

  #remember(unique: number): void {
    this.#done.add(unique);
    if (this.#done.size <= DONE_LIMIT) return;
    for (const oldest of this.#done) {
      this.#done.delete(oldest);
      return;
    }
  }

  /** Where there is no room for it, the journal goes on growing: every commit in it counts all the same. */
  #rewrite(): void {
    try {
      this.#journal.rewrite(this.#live());
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
    }
    this.#rewriteAt = Math.max(REWRITE_ABOVE_BYTES, this.#journal.bytes * REWRITE_RATIO);
  }

  *#live(): Generator<Commit> {
    for (const change of this.registry.snapshot()) yield { changes: [change] };
    for (const done of this.#done) yield { changes: [], done };
  }
}
