import { spawn, type ChildProcess } from 'node:child_process';
import { cpus } from 'node:os';
import type { TraceEvent } from './trace-line.ts';
import { TraceText } from './trace-text.ts';

/**
 * Kilobytes of the kernel's buffers, of all cpus: a second of what a fork bomb does on two. What does not fit is lost, and
 * told so.
 */
const BUFFERS_KIB = 8_192;

/** The least for each cpu. */
const BUFFER_MIN_KIB = 512;

/** Seconds for each tree that is taken away from the reader: one whose daemon stands still may not answer. */
const UMOUNT_LIMIT_S = 5;

/**
 * Reads an instance of the tracer of its own until standard input ends, that is, until the daemon does, and removes it.
 * In a mount namespace of its own, so that tracefs may be mounted where the machine has none to be seen. Trees are taken
 * away there: a copy of a mount keeps a daemon alive that was unmounted. Nothing waits for that, since one whose daemon
 * stands still may take its time. A path in mountinfo has octal numbers in it, as printf(1) reads them.
 * $1 is the beginning of the instance's name, $2 `exact` for events that slow every system call, $3 our program, which reads
 * them in turns (src/init/events.c), $4 kilobytes for each cpu. It is of the daemon's session, which goes first when it must
 * (src/kernel/priority.ts): who reads late loses events.
 * Every line of standard input becomes an event, and another one that says that the first is in its place. Not heard:
 * sched_process_exec, since a line of it has the path of the program, of which anybody could make lines that look like other
 * events.
 */
const SCRIPT = `
set -e
grep ' - fuse\\.nsdir ' /proc/self/mountinfo | while read -r _ _ _ _ tree _; do
  tree=$(printf "$(printf %s "$tree" | sed 's/%/%%/g')")
  umount -l --no-canonicalize "$tree" || timeout -s KILL ${UMOUNT_LIMIT_S} umount -l "$tree"
done >/dev/null 2>&1 &
top=/sys/kernel/tracing
[ -d $top/instances ] || mount -t tracefs tracefs $top
for stale in $top/instances/"$1".*; do rmdir "$stale" 2>/dev/null || :; done
at=$top/instances/$1.$$
mkdir "$at"
echo mono >"$at/trace_clock"
echo "$4" >"$at/buffer_size_kb"
events='task/task_newtask task/task_rename sched/sched_process_exit'
if [ "$2" = exact ]; then for call in unshare setns; do
  events="$events syscalls/sys_enter_$call syscalls/sys_exit_$call"
done; fi
for event in $events; do echo 1 >"$at/events/$event/enable"; done
echo 1 >"$at/tracing_on"
exec 4>"$at/trace_marker"
echo ready
"$3" events "$at/trace_pipe" &
pipe=$!
exec >/dev/null 2>&1
while read -r mark; do
  echo "$mark" >&4
  echo "$mark" >&4
done
exec 4>&-
kill "$pipe" || :
wait "$pipe" || :
rmdir "$at"
`;

export interface TracerOptions {
  /** A word: the name of the tracer's instance. */
  readonly name: string;
  /** src/init, built. */
  readonly initBinary: string;
  readonly exact: boolean;
  /** From now on nothing is missed; `askForMark` makes that an event comes. */
  readonly onReady: (askForMark: () => void) => void;
  readonly onEvent: (event: TraceEvent) => void;
  /** No more events come; `reason` is what it said. */
  readonly onEnd: (reason: string) => void;
}

/**
 * Begins to read events where the kernel has tracefs; `onEnd` is called where it has not. Gives the pid of the child that
 * reads, and starts another one.
 */
export function startTracer({ name, initBinary, exact, onReady, onEvent, onEnd }: TracerOptions): number | undefined {
  const bufferKib = Math.max(BUFFER_MIN_KIB, Math.floor(BUFFERS_KIB / cpus().length));
  const script = ['sh', '-c', SCRIPT, 'sh', name, exact ? 'exact' : 'on', initBinary, String(bufferKib)];
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
  const { stdin, stdout } = child;
  const text = new TraceText();
  let isReady = false;
  // A name may be of any bytes.
  stdout?.setEncoding('latin1');
  stdin?.on('error', () => undefined);
  stdout?.on('data', (data: string) => {
    let news = data;
    if (!isReady) {
      const end = data.indexOf('ready\n');
      if (end < 0) return;
      isReady = true;
      news = data.slice(end + 'ready\n'.length);
      onReady(() => stdin?.write('mark\n'));
    }
    for (const event of text.push(news)) onEvent(event);
  });
  // Whoever reads them has ended by itself: so does the rest then.
  stdout?.on('end', () => stdin?.end());
  child.on('close', () => {
    onEnd(reason.trim());
  });
  child.unref();
  return child.pid;
}
