import type { Serial } from '../ids.ts';
import type { Container } from './container.ts';

/** Sets shown of one user's; more are only counted, in `.unshown`. */
export const SHOWN_PER_UID_LIMIT = 4096;

/** The discovered containers that there are. */
export class Shown {
  readonly #bySerial = new Map<Serial, Container>();
  readonly #byMark = new Map<string, Container>();
  readonly #perUid = new Map<number, number>();
  /** As they were when they were found: owners may be changed. */
  readonly #uids = new Map<Serial, number>();

  get size(): number {
    return this.#bySerial.size;
  }

  get(serial: Serial): Container | undefined {
    return this.#bySerial.get(serial);
  }

  withMark(mark: string): Container | undefined {
    return this.#byMark.get(mark);
  }

  /** In the order in which they were found: parents before their children. */
  values(): IterableIterator<Container> {
    return this.#bySerial.values();
  }

  /** Whether no more sets of this user are to be shown. */
  isFull(uid: number): boolean {
    return (this.#perUid.get(uid) ?? 0) >= SHOWN_PER_UID_LIMIT;
  }

  add(container: Container): void {
    const { serial, uid, found } = container;
    if (!found || this.#bySerial.has(serial)) return;
    this.#bySerial.set(serial, container);
    this.#byMark.set(found.mark, container);
    this.#uids.set(serial, uid);
    this.#perUid.set(uid, (this.#perUid.get(uid) ?? 0) + 1);
  }

  /** It has another mark now. */
  mark(container: Container, mark: string): void {
    if (container.found) this.#byMark.set(mark, container);
  }

  delete(container: Container): void {
    const { serial, found } = container;
    if (!this.#bySerial.delete(serial)) return;
    if (found && this.#byMark.get(found.mark) === container) this.#byMark.delete(found.mark);
    const uid = this.#uids.get(serial) ?? container.uid;
    this.#uids.delete(serial);
    this.#perUid.set(uid, (this.#perUid.get(uid) ?? 1) - 1);
  }
}
