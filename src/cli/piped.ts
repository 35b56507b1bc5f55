import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { systemErrno } from '../errno.ts';
import { exitStatus } from '../../mount/device/child.ts';
import { Failure } from './command.ts';

/** A program between two streams of ours, and what it had to say. */
export interface Piped {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Its exit status, and what it said on standard error, line by line. Throws Failure if it could not be started. */
  readonly ended: Promise<{ readonly status: number; readonly said: readonly string[] }>;
}

/** Starts it; it is killed when `signal` aborts. */
export function piped([program, ...options]: readonly [string, ...string[]], signal: AbortSignal): Piped {
  const child = spawn(program, options, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  const chunks: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = endOf(child, program).then((status) => {
    signal.removeEventListener('abort', kill);
    const lines = Buffer.concat(chunks).toString().split('\n');
    return { status, said: lines.filter((line) => line !== '') };
  });
  // Whoever waits for it hears of it; until then it is nobody's.
  ended.catch(() => undefined);
  return { stdin: child.stdin, stdout: child.stdout, ended };
}

function endOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      const why = systemErrno(error) === 'ENOENT' ? 'it is not installed' : error.message;
      reject(new Failure(`Cannot run ${program}: ${why}`));
    });
    child.once('close', (code, signal) => {
      resolve(exitStatus(code, signal));
    });
  });
}
