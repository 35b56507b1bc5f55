/** How long a round waits while nothing happens, and events would tell: to be woken costs more than the look. */
const QUIET_ROUND_MS = 200;
const QUIET_ROUND_MAX_MS = 1_000;

/** Where all processes are looked at in turns of `turnMs`, a round more or less in so many changes little. */
const QUIET_ROUNDS_PER_TURN = 4;

/** `areAllOld`: it is not likely that anybody makes namespaces now, which those who are young do. */
export function quietRoundMs(turnMs: number, areAllOld: boolean): number {
  return Math.min(Math.max(turnMs / QUIET_ROUNDS_PER_TURN, areAllOld ? QUIET_ROUND_MS : 0), QUIET_ROUND_MAX_MS);
}

/** A time in which nothing happens. */
export class Quiet {
  #end: (() => void) | undefined;

  /** Fulfilled after `ms`, or when it is over. */
  last(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  end(): void {
    this.#end?.();
    this.#end = undefined;
  }
}
