import { FsError } from '../errno.ts';
import type { NodeId } from './node-id.ts';

/** Files open for writing, or open while they say nothing; more are refused with ENFILE. */
const PLAIN_HANDLES_LIMIT = 65_536;

/** Open handles that carry no text, by the node they were opened on: an entry that says nothing is there while it is open. */
export class PlainHandles {
  readonly #opened = new Map<number, { readonly id: NodeId; readonly uid: number }>();
  readonly #counts = new Map<NodeId, number>();

  /** `uid`: who opened it. Throws ENFILE. */
  open(handle: number, id: NodeId, uid: number): void {
    if (this.#opened.size >= PLAIN_HANDLES_LIMIT) {
      throw new FsError('ENFILE', `${PLAIN_HANDLES_LIMIT} control entries are open for writing already; close some`);
    }
    this.#opened.set(handle, { id, uid });
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  has(handle: number): boolean {
    return this.#opened.has(handle);
  }

  /** Who opened it; `undefined` if that is not known here. */
  openerOf(handle: number): number | undefined {
    return this.#opened.get(handle)?.uid;
  }

  isOpen(id: NodeId): boolean {
    return this.#counts.has(id);
  }

  /** Whether it was one of these. */
  release(handle: number): boolean {
    const id = this.#opened.get(handle)?.id;
    if (id === undefined) return false;
    this.#opened.delete(handle);
    const left = (this.#counts.get(id) ?? 1) - 1;
    if (left > 0) this.#counts.set(id, left);
    else this.#counts.delete(id);
    return true;
  }
}
