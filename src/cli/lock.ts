import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readlink, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { systemErrno } from '../errno.ts';
import { instanceFor, type Instance } from '../instance.ts';
import { Failure } from './command.ts';

/** How long another `nsdir mount` or `umount` of the same instance is waited for: a mount bounds its own waits below this. */
const LOCK_TIMEOUT_MS = 60_000;

/** How often the file may vanish between opening and locking. */
const MAX_ATTEMPTS = 10;

/** Of util-linux or busybox, whose has no `--timeout`. */
const FLOCK = 'flock';

/** The descriptor flock(1) opens, the first free one. */
const LOCK_FD = 3;

export interface InstanceLock {
  /** Whether the file was not there before. */
  readonly isNew: boolean;
  /** The last one to leave takes the file with him, and the directories that were made for it. */
  readonly removeFile: () => Promise<void>;
  readonly release: () => Promise<void>;
}

/**
 * Only one command begins or ends an instance at a time. The lock is flock(1)'s: a child holds it while its standard
 * input is open, so it goes with this process however that ends.
 */
export async function lockInstance({ id, mountPoint }: Instance): Promise<InstanceLock> {
  // Whatever --run-dir says.
  const directory = path.dirname(instanceFor(mountPoint).runDir);
  let made: string | undefined;
  try {
    made = await mkdir(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new Failure(`Cannot make ${directory}: ${systemErrno(error) ?? String(error)}; run it as root`);
  }
  const file = path.join(directory, `${id}.lock`);
  const isNew = !existsSync(file);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const holder = await hold(file);
    if (holder === undefined) break;
    const release = async () => {
      holder.child.stdin.end();
      await holder.ended;
    };
    // A file that was removed while we waited for it excludes nobody.
    if ((await readlink(`/proc/${holder.child.pid ?? 0}/fd/${LOCK_FD}`)) === file) {
      return {
        isNew,
        release,
        async removeFile() {
          await rm(file, { force: true });
          if (made !== undefined) await removeEmpty(directory, made);
        },
      };
    }
    await release();
  }
  throw new Failure(
    `${file} cannot be locked: another nsdir mount or umount is at work on ${mountPoint}, or we are not root`,
  );
}

/** The directory and those around it up to `last`, as far as nobody has put anything there. */
async function removeEmpty(directory: string, last: string): Promise<void> {
  try {
    await rmdir(directory);
    if (directory !== last) await removeEmpty(path.dirname(directory), last);
  } catch {
    // In use by now.
  }
}

interface Holder {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly ended: Promise<void>;
}

/** A child that has the lock; `undefined` if it could not be had in time. */
async function hold(file: string): Promise<Holder | undefined> {
  const child = spawn(FLOCK, [file, 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'], cwd: '/' });
  const timer = setTimeout(() => child.kill('SIGKILL'), LOCK_TIMEOUT_MS);
  let missing: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      missing = systemErrno(error) ?? error.message;
      resolve();
    });
    child.once('exit', () => {
      resolve();
    });
  });
  const held = new Promise<Holder>((resolve) => {
    child.stdout.once('data', () => {
      resolve({ child, ended });
    });
  });
  const holder = (await Promise.race([held, ended])) ?? undefined;
  clearTimeout(timer);
  if (missing !== undefined) throw new Failure(`Cannot run ${FLOCK}(1): ${missing}; install util-linux`);
  return holder;
}
