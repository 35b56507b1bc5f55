import { pathOf } from '../../src/container/container.ts';
import type { Machine } from '../../src/container/machine.ts';
import { serialOf } from '../../src/tree/node-id.ts';
import type { Decoded } from './decode.ts';

/** Operations that change something: a line each in the log. */
const LOGGED: ReadonlySet<string> = new Set([
  'MKDIR',
  'RMDIR',
  'RENAME',
  'RENAME2',
  'WRITE',
  'SETATTR',
  'SYMLINK',
  'LINK',
]);

/** How long a line may wait: who asked next is served first. */
const DELAY_MS = 10;

/** Lines that wait; with one more all are written. */
const WAITING_LIMIT = 256;

/** Lines of the log that say who did what to which container, with what outcome, and in how many microseconds. */
export class OperationLog {
  readonly #machine: Machine;
  #waiting: (() => void)[] = [];

  constructor(machine: Machine) {
    this.#machine = machine;
    process.once('exit', () => {
      this.#write();
    });
  }

  /** `begun`: by `performance.now()`. */
  note({ op, request, args }: Decoded, begun: number, outcome: string): void {
    if (!LOGGED.has(op.name)) return;
    const us = Math.round((performance.now() - begun) * 1000);
    const { caller, nodeid } = request;
    const container = this.#machine.store.registry.get(serialOf(nodeid));
    const where = container && pathOf(container);
    const { pid, uid } = caller;
    const what = op.showArgs(args);
    if (this.#waiting.length === 0) setTimeout(this.#write, DELAY_MS).unref();
    this.#waiting.push(() => {
      this.#machine.log.info({ op: op.name, in: where, what, pid, uid, us, outcome });
    });
    if (this.#waiting.length > WAITING_LIMIT) this.#write();
  }

  readonly #write = (): void => {
    const lines = this.#waiting;
    this.#waiting = [];
    for (const line of lines) line();
  };
}
