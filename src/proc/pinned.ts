import { FsError } from '../errno.ts';
import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { isAlive, isZombie, readStat } from './process.ts';

/** A process that stays the one meant: pids are used again, a pid with its start time is not (proc_pid_stat(5), field 22). */
export interface PinnedProcess {
  readonly pid: Pid;
  /** Clock ticks since boot. */
  readonly startTime: number;
}

/** Who has this pid now; `undefined` if nobody has, or one that is dead and not reaped. */
export function pin(files: FileAccess, pid: Pid): PinnedProcess | undefined {
  const stat = readStat(files, pid);
  return stat === undefined || isZombie(stat) ? undefined : { pid, startTime: stat.starttime };
}

/** Sends the very process a signal. False if it is gone. Throws EPERM for one that is not ours to signal. */
export function signalPinned(
  { files, kernel }: { readonly files: FileAccess; readonly kernel: Kernel },
  { pid, startTime }: PinnedProcess,
  signal: number,
): boolean {
  let pidfd: number | undefined;
  try {
    pidfd = kernel.pidfdOpen(pid);
    if (!isAlive(files, pid, startTime)) return false;
    kernel.pidfdSendSignal(pidfd, signal);
    return true;
  } catch (error) {
    if (error instanceof FsError && error.errno === 'ESRCH') return false;
    throw error;
  } finally {
    if (pidfd !== undefined) kernel.close(pidfd);
  }
}
