import { bytesField, fieldsOf, imageOf, messagesOf, varintField, type Field } from './protobuf.ts';

/**
 * A periodic timer that expires while its process stands still is wound up again only when the process hears of it, and
 * until then has no time left. Restored so it would never expire again: zero is what stops a timer (setitimer(2),
 * timerfd_settime(2)). It goes on with a whole interval.
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

/** Images of tasks (criu's images/core.proto). */
export const CORE_IMAGE = /^core-\d+\.img$/;

/** `tc` in `core_entry`, `timers` in `task_core_entry`, and in `task_timers_entry` those of setitimer(2). */
const TASK = 3;
const TIMERS = 7;
const ITIMERS: readonly number[] = [1, 2, 3];
const ITIMER: TimerFields = { value: [3, 4], interval: [1, 2] };

/** The image of a task, with its periodic timers rewound where that is needed. */
export function rewindTask(image: Buffer): Buffer {
  const { magic, messages } = messagesOf(image);
  const rewritten = messages.map((message) =>
    within(message, TASK, (task) =>
      within(task, TIMERS, (timers) =>
        Buffer.concat(
          fieldsOf(timers).map(({ number, bytes, raw }) =>
            ITIMERS.includes(number) ? bytesField(number, rewound(bytes, ITIMER)) : raw,
          ),
        ),
      ),
    ),
  );
  return imageOf(magic, rewritten);
}

/** The message with one of its fields changed. */
function within(message: Buffer, wanted: number, change: (bytes: Buffer) => Buffer): Buffer {
  const changed = ({ number, bytes, raw }: Field) => (number === wanted ? bytesField(number, change(bytes)) : raw);
  return Buffer.concat(fieldsOf(message).map(changed));
}
