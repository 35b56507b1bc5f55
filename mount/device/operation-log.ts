import { pathOf } from '../../src/container/container.ts';
import type { Machine } from '../../src/container/machine.ts';
import { serialOf } from '../../src/tree/node-id.ts';
import { isLogged, LogLines } from '../log-lines.ts';
import type { Decoded } from './decode.ts';

/** Lines of the log that say who did what to which container, with what outcome, and in how many microseconds. */
export class OperationLog {
  readonly #machine: Machine;
  readonly #lines = new LogLines();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** `begun`: by `performance.now()`. */
  note({ op, request, args }: Decoded, begun: number, outcome: string): void {
    if (!isLogged(op.name)) return;
    const us = Math.round((performance.now() - begun) * 1000);
    const { caller, nodeid } = request;
    const container = this.#machine.store.registry.get(serialOf(nodeid));
    const where = container && pathOf(container);
    const { pid, uid } = caller;
    const what = op.showArgs(args);
    this.#lines.push(() => {
      this.#machine.log.info({ op: op.name, in: where, what, pid, uid, us, outcome });
    });
  }
}
