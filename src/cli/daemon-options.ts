import path from 'node:path';
import { readIfThere } from './processes.ts';

/** Options of `nsdir mount` that the daemon's command line has as they were given; FILE and DIR are absolute there. */
const COMPARED = [
  ...['adapter', 'trace', 'log-level', 'discovery', 'user-limits', 'output-limit'],
  ...['run-dir', 'state-dir', 'cgroup'],
] as const;

/** Those that name a file or a directory. */
const PATHS: ReadonlySet<string> = new Set(['trace', 'run-dir', 'state-dir']);

/** The command line of a daemon; empty if it is gone, or not ours to read. */
export async function wordsOf(pid: number): Promise<string[]> {
  return ((await readIfThere(`/proc/${pid}/cmdline`)) ?? '').split('\0').slice(0, -1);
}

/** Options that were asked for, as typed, and that a daemon with this command line was not given. None if that is not known. */
export function differences(asked: Readonly<Record<string, unknown>>, running: readonly string[]): string[] {
  if (running.length === 0) return [];
  const named = COMPARED.filter((name) => typeof asked[name] === 'string').flatMap((name) => {
    const at = running.indexOf(`--${name}`);
    const value = asked[name] as string;
    const given = PATHS.has(name) ? path.resolve(value) : value;
    return at >= 0 && running[at + 1] === given ? [] : [`--${name} ${value}`];
  });
  const flagged = asked['no-resend'] === true && !running.includes('--no-resend') ? ['--no-resend'] : [];
  return [...named, ...flagged];
}
