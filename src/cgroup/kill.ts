import { FsError } from '../errno.ts';
import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { isPopulated, processes } from './cgroup.ts';
import { isAskedToFreeze, type WaitOptions } from './freeze.ts';
import { tryWriteKnob, writeKnob } from './knob.ts';
import { waitUntil } from './wait.ts';

/** 1,000 processes die in some 75 ms; a process in an uninterruptible wait dies when that ends. */
export const KILL_LIMIT_MS = 10_000;

/** A kill does not hit what is moved in after it. */
const KILL_AGAIN_MS = 50;

const SIGKILL = 9;

/** How many processes are held by pidfd at a time; well below any RLIMIT_NOFILE. */
const BATCH = 256;

/**
 * Kills every process of the cgroup and below it, whatever they fork meanwhile, frozen or not. Answers whether all are
 * dead within `limitMs`; zombies count as dead. True if the cgroup is gone. EINTR leaves the kill in progress.
 * A cgroup that was killed kills what is started into it later (`CLONE_INTO_CGROUP`): remove it and make it anew.
 */
export async function kill(
  { files, kernel }: { readonly files: FileAccess; readonly kernel: Kernel },
  directory: string,
  { signal, limitMs = KILL_LIMIT_MS }: WaitOptions = {},
): Promise<boolean> {
  if (!isPopulated(files, directory)) return true;
  if (!files.existsSync(`${directory}/cgroup.kill`)) {
    return killOneByOne({ files, kernel }, directory, { signal, limitMs });
  }
  let killAgainAt = 0;
  const killed = () => {
    if (!isPopulated(files, directory)) return true;
    if (performance.now() >= killAgainAt) {
      killTree(files, directory);
      killAgainAt = performance.now() + KILL_AGAIN_MS;
    }
    return !isPopulated(files, directory);
  };
  return waitUntil(killed, limitMs, signal);
}

/**
 * Sends SIGKILL to every process of the cgroup and below it and waits for nothing: for who is told otherwise when they are
 * dead. False if it is gone, or on kernels before 5.14, where only {@link kill} can.
 */
export function killAtOnce(files: FileAccess, directory: string): boolean {
  return tryWriteKnob(files, directory, 'cgroup.kill', '1');
}

/** A cgroup that goes meanwhile is as good as killed. */
function killTree(files: FileAccess, directory: string): void {
  try {
    writeKnob(files, directory, 'cgroup.kill', '1');
  } catch (error) {
    if (files.existsSync(directory)) throw error;
  }
}

/** For kernels before 5.14: frozen, so that nothing forks; killed process by process until none is left. */
async function killOneByOne(
  { files, kernel }: { readonly files: FileAccess; readonly kernel: Kernel },
  directory: string,
  { signal, limitMs = KILL_LIMIT_MS }: WaitOptions,
): Promise<boolean> {
  const frozenBefore = isAskedToFreeze(files, directory);
  tryWriteKnob(files, directory, 'cgroup.freeze', '1');
  try {
    const round = async () => {
      await signalAll({ files, kernel }, directory);
      return !isPopulated(files, directory);
    };
    return await waitUntil(round, limitMs, signal);
  } finally {
    if (!frozenBefore) tryWriteKnob(files, directory, 'cgroup.freeze', '0');
  }
}

/** A pid may be reused between the list and the pidfd, so only what is still listed once it is held gets the signal. */
async function signalAll(
  { files, kernel }: { readonly files: FileAccess; readonly kernel: Kernel },
  directory: string,
): Promise<void> {
  const pids = await processes(files, directory);
  for (let start = 0; start < pids.length; start += BATCH) {
    const held = hold(kernel, pids.slice(start, start + BATCH));
    try {
      const still = new Set(await processes(files, directory));
      for (const { pid, pidfd } of held) {
        if (still.has(pid))
          ignoringGone(() => {
            kernel.pidfdSendSignal(pidfd, SIGKILL);
          });
      }
    } finally {
      for (const { pidfd } of held) kernel.close(pidfd);
    }
  }
}

function hold(kernel: Kernel, pids: readonly Pid[]): { readonly pid: Pid; readonly pidfd: number }[] {
  return pids.flatMap((pid) => {
    const pidfd = ignoringGone(() => kernel.pidfdOpen(pid));
    return pidfd === undefined ? [] : [{ pid, pidfd }];
  });
}

function ignoringGone<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof FsError && error.errno === 'ESRCH') return undefined;
    throw error;
  }
}
