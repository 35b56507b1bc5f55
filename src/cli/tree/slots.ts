/** Lets at most `count` actions run at once; the others wait in turn. An action must not wait for another one. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  #next = 0;

  constructor(count: number) {
    this.#free = count;
  }

  async use<T>(action: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    try {
      return await action();
    } finally {
      this.#pass();
    }
  }

  #pass(): void {
    const resolve = this.#waiting[this.#next];
    if (resolve === undefined) {
      this.#free += 1;
      this.#waiting.length = 0;
      this.#next = 0;
      return;
    }
    this.#next += 1;
    resolve();
  }
}
