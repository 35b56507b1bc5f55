/** News that may have overtaken what they are about are told once more after this. */
const AGAIN_MS = 100;

/**
 * Tells news again, for listings whose directory has no time by which the kernel would know that they are old: those of
 * processes, which come and go without a word. By then the kernel has nearly always kept what it got before.
 */
export class RepeatedNews<Topic> {
  readonly #tell: (about: Topic) => void;
  /** What is to be told again, and whether once more after that. */
  readonly #waiting = new Map<Topic, boolean>();

  constructor(tell: (about: Topic) => void) {
    this.#tell = tell;
  }

  /** It was told just now. */
  told(about: Topic): void {
    const isWaiting = this.#waiting.has(about);
    this.#waiting.set(about, isWaiting);
    if (!isWaiting) this.#wait(about);
  }

  #wait(about: Topic): void {
    setTimeout(() => {
      const isToldSince = this.#waiting.get(about) === true;
      if (isToldSince) this.#waiting.set(about, false);
      else this.#waiting.delete(about);
      this.#tell(about);
      if (isToldSince) this.#wait(about);
    }, AGAIN_MS).unref();
  }
}
