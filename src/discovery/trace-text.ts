import { parseTraceLine, type TimedEvent, type TraceEvent } from './trace-line.ts';

/** Lines that one event may have: a name of 15 bytes, all of them newlines, is in it three times. */
const LINES_PER_EVENT_LIMIT = 64;

/** Events that wait for a later one. */
const HELD_EVENTS_LIMIT = 4096;

/**
 * Makes events of the text of a trace_pipe, bytes as latin1, and puts them in the order in which things happened. The kernel
 * gives the earliest event of all cpus that it finds when it looks at one after the other: one of a cpu already looked at may
 * come behind a later one of the next, but no further behind than that. So an event is in its place once a later one follows.
 */
export class TraceText {
  #rest = '';
  #torn: string[] = [];
  #held: TimedEvent[] = [];

  push(text: string): TraceEvent[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): TraceEvent[] {
    this.#torn.push(line);
    const event = parseTraceLine(line) ?? parseTraceLine(this.#torn.join('\n'));
    if (!event) {
      if (this.#torn.length < LINES_PER_EVENT_LIMIT) return [];
      this.#torn = [];
      return [...this.#held.splice(0), { kind: 'lost' }];
    }
    this.#torn = [];
    return event.kind === 'lost' ? [...this.#held.splice(0), event] : this.#inOrder(event);
  }

  #inOrder(event: TimedEvent): TimedEvent[] {
    const latest = this.#held.at(-1);
    if (!latest || latest.atSec <= event.atSec || this.#held.length >= HELD_EVENTS_LIMIT) {
      const due = this.#held;
      this.#held = [event];
      return due;
    }
    const at = this.#held.findIndex(({ atSec }) => atSec > event.atSec);
    this.#held.splice(at, 0, event);
    return [];
  }
}
