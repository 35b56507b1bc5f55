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
    this.#turn ??= this.#source();
    while (taken.length < count) {
      const step = this.#turn.next();
      if (step.done === true) {
        this.#turn = undefined;
        break;
      }
      taken.push(step.value);
    }
    return taken;
  }
}
