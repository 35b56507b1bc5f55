import { readFileSync } from 'node:fs';

/** Programs that tests run, mostly inside containers: one file each in `workloads`, which says what it does. */
const SHELL = ['fork-bomb', 'deaf', 'counter', 'orphans', 'churn', 'spin', 'note-signals'] as const;
const PYTHON = ['note-real-time', 'hold-memory', 'wait-for-events'] as const;

export type Workload = (typeof SHELL)[number] | (typeof PYTHON)[number];

/**
 * The command that runs it, with its arguments. The text itself is in the command, so that it runs also where this
 * checkout is not to be seen.
 */
export function workload(name: Workload, ...args: string[]): string[] {
  const isShell = SHELL.some((other) => other === name);
  const text = readFileSync(new URL(`workloads/${name}.${isShell ? 'sh' : 'py'}`, import.meta.url), 'utf8');
  return isShell ? ['sh', '-c', text, name, ...args] : ['python3', '-c', text, ...args];
}
