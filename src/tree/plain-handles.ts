import type { NodeId } from './node-id.ts';

/**
 * Open handles that carry no text, by the node they were opened on: an entry that says nothing is there while it is open. How
 * many there may be is the caller's to say.
 */
export class PlainHandles {
  readonly #opened = new Map<number, { readonly id: NodeId; readonly uid: number }>();
  readonly #counts = new Map<NodeId, number>();

  get size(): number {
    return this.#opened.size;
  }

  /** `uid`: who opened it. */
  open(handle: number, id: NodeId, uid: number): void {
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
