import type { NodeId } from './node-id.ts';

/** Which nodes somebody has open: what was unlinked is there until it is closed. Who adds handles limits their number. */
export class OpenNodes {
  readonly #nodes = new Map<number, NodeId>();
  readonly #counts = new Map<NodeId, number>();

  add(handle: number, id: NodeId): void {
    this.#nodes.set(handle, id);
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  has(id: NodeId): boolean {
    return this.#counts.has(id);
  }

  isOpened(handle: number): boolean {
    return this.#nodes.has(handle);
  }

  release(handle: number): void {
    const id = this.#nodes.get(handle);
    if (id === undefined) return;
    this.#nodes.delete(handle);
    const left = (this.#counts.get(id) ?? 1) - 1;
    if (left > 0) this.#counts.set(id, left);
    else this.#counts.delete(id);
  }
}
