/** Goes through many things a few at a time, again and again, while some come and go. */
export class Rotation<T> {
  readonly #source: () => Iterator<T>;
  #turn: Iterator<T> | undefined;

  constructor(source: () => Iterator<T>) {
    this.#source = source;
  }

  /** The next ones, at most `count`; fewer at the end of a turn. */
  next(count: number): T[] {
    const taken: T[] = [];
    while (taken.length < count) {
      const one = this.one();
      if (one === undefined) break;
      taken.push(one);
    }
    return taken;
  }

  /** The next one; `undefined` at the end of a turn. */
  one(): T | undefined {
    this.#turn ??= this.#source();
    const step = this.#turn.next();
    if (step.done !== true) return step.value;
    this.#turn = undefined;
    return undefined;
  }
}
