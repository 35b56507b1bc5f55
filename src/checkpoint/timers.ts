import { fieldsOf, varintField } from './protobuf.ts';

/**
 * A periodic timer that expires while its process stands still is wound up again only when the process hears of it, and
 * until then has no time left. Restored so it would never expire again: zero is what stops a timer (timerfd_settime(2)).
 * It goes on with a whole interval. CRIU does that itself for those of setitimer(2) and timer_create(2), not for timerfds.
 */

/** Numbers of the fields of a message with a timer: seconds, and micro- or nanoseconds. */
export interface TimerFields {
  readonly value: readonly [number, number];
  readonly interval: readonly [number, number];
}

/** The message, rewound if that is needed. */
export function rewound(message: Buffer, { value, interval }: TimerFields): Buffer {
  const fields = fieldsOf(message);
  const valueOf = (wanted: number) => fields.find(({ number }) => number === wanted)?.value ?? 0;
  if (value.some((number) => valueOf(number) !== 0) || interval.every((number) => valueOf(number) === 0))
    return message;
  const kept = fields.filter(({ number }) => !value.includes(number)).map(({ raw }) => raw);
  return Buffer.concat([...kept, ...value.map((number, index) => varintField(number, valueOf(interval[index] ?? 0)))]);
}
