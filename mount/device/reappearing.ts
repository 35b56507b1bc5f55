import type { Registry } from '../../src/container/registry.ts';
import { TOMBSTONE_MS } from '../../src/container/hiding.ts';
import type { Serial } from '../../src/ids.ts';
import { directoriesOf } from '../../src/tree/control/table.ts';
import type { NodeId } from '../../src/tree/node-id.ts';

/** A little after a tombstone's end, so that what is listed then is what resolves. */
const REAPPEAR_MS = TOMBSTONE_MS + 50;

/** Tells of containers whose entries were unlinked, when these come back: the kernel's listing of them is old then. */
export class Reappearing {
  readonly #registry: Registry;
  readonly #tell: (directory: NodeId) => void;
  readonly #waiting = new Set<Serial>();

  constructor(registry: Registry, tell: (directory: NodeId) => void) {
    this.#registry = registry;
    this.#tell = tell;
  }

  later(serial: Serial): void {
    if (this.#waiting.has(serial)) return;
    this.#waiting.add(serial);
    // Twice: the serving thread tells of a row's first unlink at once, and may have unlinked more until then.
    for (const round of [1, 2]) {
      setTimeout(() => {
        this.#waiting.delete(serial);
        if (this.#registry.get(serial)) directoriesOf(serial).forEach(this.#tell);
      }, round * REAPPEAR_MS).unref();
    }
  }
}
