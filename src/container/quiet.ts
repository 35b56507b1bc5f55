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
