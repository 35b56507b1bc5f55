import { NAMESPACE_KINDS } from '../namespaces.ts';

/** Seconds of CLOCK_MONOTONIC. */
interface AtSec {
  readonly atSec: number;
}

/** What the kernel told of a task. `pid` did it; `child` came of it. */
export type TimedEvent =
  /** `fresh`: CLONE_NEW* bits of the namespaces that the child got of its own in the same moment. */
  | (AtSec & {
      readonly kind: 'born';
      readonly pid: number;
      readonly child: number;
      readonly fresh: number;
      /** It is no process, but one more thread of one. */
      readonly thread: boolean;
    })
  /** It has another name, most likely for another program. */
  | (AtSec & { readonly kind: 'executed'; readonly pid: number })
  /** From now on it may have other namespaces: it called unshare(2), or setns(2), which `joins` those that are there. */
  | (AtSec & { readonly kind: 'changing'; readonly pid: number; readonly fresh: number; readonly joins: boolean })
  /** That call has returned. */
  | (AtSec & { readonly kind: 'changed'; readonly pid: number; readonly done: boolean })
  | (AtSec & { readonly kind: 'ended'; readonly pid: number })
  /** Nothing but what time it is. */
  | (AtSec & { readonly kind: 'mark' });

/** `lost`: the buffer was full, and some events are missing. */
export type TraceEvent = TimedEvent | { readonly kind: 'lost' };

/** Every CLONE_NEW* bit. */
export const NEW_NAMESPACE = NAMESPACE_KINDS.reduce((bits, { flag }) => bits | flag, 0);

/** linux/sched.h */
const CLONE_THREAD = 0x0001_0000;

/** `            comm-PID     [CPU] flags  TIME: EVENT: …`: comm has 16 bytes or more, and may hold anything. */
const LINE = /^[^]{16}-(\d+)\s+\[\d+\] [^:]* ([\d.]+): ([^]*)$/;

type Reader = (found: readonly string[], pid: number, atSec: number) => TimedEvent;

const mark: Reader = (_, __, atSec) => ({ kind: 'mark', atSec });

/** Names in them are 15 bytes at most: none is long enough to hold a line that means anything. */
const EVENTS: readonly (readonly [pattern: RegExp, read: Reader])[] = [
  [
    /^task_newtask: pid=(\d+) comm=[^]* clone_flags=([0-9a-f]+) oom_score_adj=-?\d+$/,
    ([, child, flags], pid, atSec) => {
      const low = Number.parseInt(String(flags).slice(-8), 16);
      const thread = (low & CLONE_THREAD) !== 0;
      return { kind: 'born', pid, child: Number(child), fresh: low & NEW_NAMESPACE, thread, atSec };
    },
  ],
  [
    /^task_rename: pid=(\d+) oldcomm=[^]* newcomm=[^]* oom_score_adj=-?\d+$/,
    ([, pid], _, atSec) => ({ kind: 'executed', pid: Number(pid), atSec }),
  ],
  [/^sched_process_exit: comm=[^]* pid=\d+ prio=/, (_, pid, atSec) => ({ kind: 'ended', pid, atSec })],
  [
    /^sys_unshare\(unshare_flags: (?:0x)?([0-9a-f]+)\)$/,
    ([, flags], pid, atSec) => {
      const fresh = Number.parseInt(String(flags), 16) & NEW_NAMESPACE;
      return fresh === 0 ? { kind: 'mark', atSec } : { kind: 'changing', pid, fresh, joins: false, atSec };
    },
  ],
  [
    /^sys_setns\(fd: (?:0x)?[0-9a-f]+, flags: (?:0x)?([0-9a-f]+)\)$/,
    ([, flags], pid, atSec) => {
      const asked = Number.parseInt(String(flags), 16) & NEW_NAMESPACE;
      // 0: of whatever kind the descriptor is.
      return { kind: 'changing', pid, fresh: asked === 0 ? NEW_NAMESPACE : asked, joins: true, atSec };
    },
  ],
  [
    /^sys_(?:unshare|setns) -> 0x([0-9a-f]+)$/,
    ([, status], pid, atSec) => ({ kind: 'changed', pid, done: status === '0', atSec }),
  ],
  [/^tracing_mark_write:/, mark],
];

/** A line of a trace_pipe (ftrace.rst), which may hold newlines; `undefined` for what is not one, or not the whole of it. */
export function parseTraceLine(line: string): TraceEvent | undefined {
  if (line.startsWith('CPU:') && line.includes('[LOST')) return { kind: 'lost' };
  const [, who = '', when = '', what = ''] = LINE.exec(line) ?? [];
  for (const [pattern, read] of EVENTS) {
    const found = pattern.exec(what);
    if (found) return read(found, Number(who), Number(when));
  }
  return undefined;
}
