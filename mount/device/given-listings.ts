import type { Container } from '../../src/container/container.ts';

/** So long after it was given a listing may come to be kept: who asked for it may wait for a processor. */
const ON_ITS_WAY_MS = 10_000;

/**
 * Listings of processes that the kernel may keep, since they were given. Where it has none it need not hear that somebody
 * entered, which would cost whoever goes through that directory next a GETATTR.
 */
export class GivenListings {
  readonly #givenMs = new WeakMap<Container, number>();

  given(container: Container, nowMs: number): void {
    this.#givenMs.set(container, nowMs);
  }

  /** Whether the kernel may have one, and is to hear now that it is old. */
  isKept(container: Container, nowMs: number): boolean {
    const givenMs = this.#givenMs.get(container);
    if (givenMs === undefined) return false;
    if (nowMs - givenMs > ON_ITS_WAY_MS) this.#givenMs.delete(container);
    return true;
  }
}
