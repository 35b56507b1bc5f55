import { readFileSync } from 'node:fs';

/** Programs that tests run, mostly inside containers: one file each in `workloads`, which says what it does. */
const INTERPRETERS = {
  'fork-bomb': 'sh',
  deaf: 'sh',
  counter: 'sh',
  'count-on': 'sh',
  'see-each-other': 'sh',
  orphans: 'sh',
  churn: 'sh',
  spin: 'sh',
  'note-signals': 'sh',
  hold: 'py',
  'note-real-time': 'py',
  'hold-memory': 'py',
  'wait-for-events': 'py',
  'many-sets': 'py',
} as const;

/**
 * The command that runs it, with its arguments. The text itself is in the command, so that it runs also where this
 * checkout is not to be seen.
 */
export function workload(name: keyof typeof INTERPRETERS, ...args: string[]): string[] {
  const suffix = INTERPRETERS[name];
  const text = readFileSync(new URL(`workloads/${name}.${suffix}`, import.meta.url), 'utf8');
  return suffix === 'sh' ? ['sh', '-c', text, name, ...args] : ['python3', '-c', text, ...args];
}
