import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Signals whose default is to end us, which is the child's to decide. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT'] as const satisfies NodeJS.Signals[];

/** What a terminal sends to the whole foreground group: the child has it already (termios(3)). */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/**
 * We do not die of a signal but pass it on to a child that `start` makes, which is in our process group, until `stop` is called.
 * Handlers come first: between the two a signal would end us, and the child would go on without hearing of it.
 */
export function forwardingTo(start: () => ChildProcess): { readonly child: ChildProcess; readonly stop: () => void } {
  const handlers = FORWARDED.map((signal) => {
    const handler = () => {
      if (!FROM_TERMINAL.includes(signal) || !isForeground(readFileSync('/proc/self/stat', 'utf8'))) child.kill(signal);
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  const stop = () => {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  };
  const child = start();
  return { child, stop };
}

/** Whether a process is in the foreground group of its terminal: fields pgrp and tpgid of proc_pid_stat(5). */
export function isForeground(stat: string): boolean {
  const [, , processGroup, , , terminalGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return processGroup !== undefined && processGroup === terminalGroup;
}
