import type { Log } from '../log.ts';

/** How often the log says that events were lost. */
export const LOST_LOG_MS = 10_000;

/** Notes that the kernel had no room for some events: until the next look at all processes not everything is known. */
export class LostEvents {
  readonly #log: Pick<Log, 'warn'>;
  #times = 0;
  #sayAtMs = -Infinity;

  constructor(log: Pick<Log, 'warn'>) {
    this.#log = log;
  }

  note(nowMs: number): void {
    this.#times += 1;
    if (nowMs < this.#sayAtMs) return;
    this.#sayAtMs = nowMs + LOST_LOG_MS;
    this.#log.warn({ times: this.#times }, 'events of the kernel were lost; looking at all processes again');
  }
}
