import { readdirSync } from 'node:fs';
import { run } from './command.ts';

/** A core for client and server both: a wake-up of another core costs more than what is measured. */
export const CORE = 0;

const LIMIT_MS = 10_000;

/** Every thread of it onto the one core. */
export async function pin(pid: number): Promise<void> {
  for (const thread of readdirSync(`/proc/${pid}/task`)) await run('taskset', ['-pc', String(CORE), thread], LIMIT_MS);
}
