/** What the kernel told of a process. `pid` did it; `child` came of it. */
export type TraceEvent =
  /** `apart`: the child got namespaces of its own in the same moment. */
  | { readonly kind: 'born'; readonly pid: number; readonly child: number; readonly apart: boolean }
  | { readonly kind: 'executed'; readonly pid: number }
  /** It has namespaces of its own now, by unshare(2). */
  | { readonly kind: 'changed'; readonly pid: number; readonly atSec: number }
  /** It went into namespaces that were there, by setns(2); it may have been in them before. */
  | { readonly kind: 'joined'; readonly pid: number }
  /** Events were lost: the buffer was full. */
  | { readonly kind: 'lost' };

/** `            comm-PID     [CPU] flags  TIME: EVENT: …`: comm has 16 columns, and may hold anything. */
const LINE = /^.{16}-(\d+)\s+\[\d+\] [^:]* ([\d.]+): (.*)$/;

const CHILD_PID = /^(?:task_newtask: pid=(\d+) |sched_process_fork: .* child_pid=(\d+)$)/;

/** A line of a trace_pipe (ftrace.rst); `undefined` for what means nothing here. */
export function parseTraceLine(line: string): TraceEvent | undefined {
  if (line.startsWith('CPU:') && line.includes('[LOST')) return { kind: 'lost' };
  const [, who = '', when = '', what = ''] = LINE.exec(line) ?? [];
  const pid = Number(who);
  if (pid === 0) return undefined;
  if (what.startsWith('sched_process_exec:')) return { kind: 'executed', pid };
  if (what === 'sys_setns -> 0x0') return { kind: 'joined', pid };
  if (what === 'sys_unshare -> 0x0') return { kind: 'changed', pid, atSec: Number(when) };
  const [found, made, forked] = CHILD_PID.exec(what) ?? [];
  return found === undefined
    ? undefined
    : { kind: 'born', pid, child: Number(made ?? forked), apart: made !== undefined };
}
