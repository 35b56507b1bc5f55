import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** How a bounded child process ended. */
export interface ChildResult {
  /** Exit status; 128+n for a signal; 127 if it could not be started; `undefined` if it was given up. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Text kept of each output stream. */
const OUTPUT_LIMIT_BYTES = 1 << 20;

/**
 * Runs a command to its end or for `timeoutMs`, whichever comes first. What might hang on a dead file system is done in
 * such a child: one that sits in an unanswered request cannot even be killed, so it is let go and not waited for.
 */
export function runBounded(command: string, args: readonly string[], timeoutMs: number): Promise<ChildResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      resolve({ status: undefined, stdout: stdout(), stderr: `no answer within ${timeoutMs} ms` });
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve({ status: 127, stdout: '', stderr: error.message });
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ status: exitStatus(code, signal), stdout: stdout(), stderr: stderr().trim() });
    });
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (bytes < OUTPUT_LIMIT_BYTES) chunks.push(chunk);
    bytes += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8', 0, OUTPUT_LIMIT_BYTES);
}

/** What a shell's `$?` would be: the exit code, or 128 and the signal's number. */
export function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}
