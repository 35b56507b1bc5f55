import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { parseTraceLine, type TraceEvent } from './trace-line.ts';

/** Every CLONE_NEW* bit (linux/sched.h). */
const NEW_NAMESPACE = '0x7e020080';

/** Kilobytes for each cpu; what does not fit is lost, and told so. */
const BUFFER_KIB = 512;

/**
 * Reads an instance of the tracer of its own until standard input ends, that is, until the daemon does, and removes it.
 * In a mount namespace of its own, so that tracefs may be mounted where the machine has none to be seen.
 * $1 is the beginning of the instance's name, $2 `exact` for events that slow every system call.
 */
const SCRIPT = `
set -e
top=/sys/kernel/tracing
[ -d $top/instances ] || mount -t tracefs tracefs $top
for stale in $top/instances/"$1".*; do rmdir "$stale" 2>/dev/null || :; done
at=$top/instances/$1.$$
mkdir "$at"
echo mono >"$at/trace_clock"
echo ${BUFFER_KIB} >"$at/buffer_size_kb"
echo 'clone_flags & ${NEW_NAMESPACE}' >"$at/events/task/task_newtask/filter"
events='task/task_newtask sched/sched_process_fork sched/sched_process_exec'
if [ "$2" = exact ]; then events="$events syscalls/sys_exit_unshare syscalls/sys_exit_setns"; fi
for event in $events; do echo 1 >"$at/events/$event/enable"; done
echo 1 >"$at/tracing_on"
echo ready
cat "$at/trace_pipe" &
pipe=$!
exec >/dev/null 2>&1
read -r _ || :
kill "$pipe" || :
wait "$pipe" || :
rmdir "$at"
`;

export interface TracerOptions {
  /** A word: the name of the tracer's instance. */
  readonly name: string;
  readonly exact: boolean;
  /** From now on nothing is missed. */
  readonly onReady: () => void;
  readonly onEvent: (event: TraceEvent) => void;
  /** No more events come; `reason` is what it said. */
  readonly onEnd: (reason: string) => void;
}

/**
 * Begins to read events where the kernel has tracefs; `onEnd` is called where it has not. Gives the pid of the child that
 * reads, and starts another one.
 */
export function startTracer({ name, exact, onReady, onEvent, onEnd }: TracerOptions): number | undefined {
  const script = ['sh', '-c', SCRIPT, 'sh', name, exact ? 'exact' : 'on'];
  const child: ChildProcess = spawn('unshare', ['--mount', '--propagation', 'slave', ...script], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let reason = '';
  child.on('error', (error) => {
    reason = error.message;
  });
  child.stderr?.on('data', (data: Buffer) => {
    reason = (reason + data.toString()).slice(-500);
  });
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') onReady();
      const event = parseTraceLine(line);
      if (event) onEvent(event);
    });
  }
  child.on('close', () => {
    onEnd(reason.trim());
  });
  child.unref();
  return child.pid;
}
