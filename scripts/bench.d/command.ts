import { setTimeout as sleep } from 'node:timers/promises';
import { execa, type Options } from 'execa';

/** A process that cannot even be killed (it waits in the kernel for a hung daemon) is left behind after this. */
const UNKILLABLE_MS = 3_000;

/**
 * Runs a command to its end, at most `limitMs`; gives its standard output. Throws with the first line it wrote to
 * standard error, or with what it was and that it took too long.
 */
export async function run(
  command: string,
  args: readonly string[],
  limitMs: number,
  options: Options = {},
): Promise<string> {
  const subprocess = execa(command, args, {
    reject: false,
    timeout: limitMs,
    killSignal: 'SIGKILL',
    stdin: 'ignore',
    ...options,
  });
  const tooLong = new AbortController();
  const result = await Promise.race([
    subprocess,
    sleep(limitMs + UNKILLABLE_MS, undefined, { signal: tooLong.signal }).catch(() => undefined),
  ]);
  tooLong.abort();
  if (result === undefined || result.timedOut) {
    subprocess.unref();
    throw new Error(`did not end within ${limitMs / 1000} s: ${command} ${args.slice(0, 4).join(' ')}`);
  }
  if (result.failed)
    throw new Error(firstLine(String(result.stderr ?? '')) ?? `${command}: ${result.shortMessage ?? ''}`);
  return String(result.stdout);
}

function firstLine(text: string): string | undefined {
  return text.split('\n').find((line) => line.trim() !== '');
}

/** What went wrong, in one line; also where cleaning up failed after it (SuppressedError). */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('suppressed' in error && 'error' in error) return `${reasonOf(error.suppressed)}; then ${reasonOf(error.error)}`;
  return firstLine(error.message) ?? error.name;
}
