import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Instance } from '../instance.ts';
import { Failure } from './command.ts';

/** How long another `nsdir mount` or `umount` of the same instance is waited for: both bound their own waits below this. */
const LOCK_TIMEOUT_S = 30;

/**
 * Only one command begins or ends an instance at a time. The lock is flock(1)'s: a child holds it while its standard
 * input is open, so it goes with this process however that ends.
 */
export async function lockInstance(instance: Instance): Promise<AsyncDisposable> {
  await mkdir(instance.runDir, { recursive: true, mode: 0o755 });
  await mkdir(lockDirectory(instance), { recursive: true, mode: 0o755 });
  const holder = spawn(
    'flock',
    ['--timeout', String(LOCK_TIMEOUT_S), lockFile(instance), 'sh', '-c', 'echo; exec cat'],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const ended = new Promise<void>((resolve) => {
    holder.once('error', () => {
      resolve();
    });
    holder.once('exit', () => {
      resolve();
    });
  });
  const held = new Promise<true>((resolve) => {
    holder.stdout.once('data', () => {
      resolve(true);
    });
  });
  if ((await Promise.race([held, ended])) !== true) {
    throw new Failure(`another nsdir mount or umount is at work on ${instance.mountPoint}; wait for it, or end it`);
  }
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  };
}

/** Beside the run directory, which `umount` may remove. */
function lockFile(instance: Instance): string {
  return path.join(lockDirectory(instance), `${path.basename(instance.runDir)}.lock`);
}

function lockDirectory(instance: Instance): string {
  return path.dirname(instance.runDir);
}
