import fs from 'node:fs';
import { constants } from 'node:os';
import { pid as checkedPid } from '../../src/ids.ts';
import { linuxKernel } from '../../src/kernel/linux.ts';
import { pin, signalPinned, type PinnedProcess } from '../../src/proc/pinned.ts';
import { isAlive } from '../../src/proc/process.ts';

const machine = { files: fs, kernel: linuxKernel() };

/** The process that has this pid now; throws if none has. What is signalled or waited for is pinned first. */
export function pinned(number: number | undefined): PinnedProcess {
  // 0 and negative numbers name groups, our own among them (kill(2)).
  const found = number !== undefined && number > 1 ? pin(fs, checkedPid(number)) : undefined;
  if (found === undefined) throw new Error(`no process ${number ?? 'without a pid'} lives`);
  return found;
}

/** The process named by a pid file; throws if the file is not there or not written yet, and if the process is gone. */
export function pinnedIn(file: string): PinnedProcess {
  return pinned(Number(fs.readFileSync(file, 'utf8')));
}

/** Sends a signal, by name or number, to that very process; to nobody if it is gone. */
export function signal(process: PinnedProcess, which: NodeJS.Signals | number): void {
  signalPinned(machine, process, typeof which === 'number' ? which : constants.signals[which]);
}

/** Whether that very process lives and is no zombie. */
export function lives({ pid, startTime }: PinnedProcess): boolean {
  return isAlive(fs, pid, startTime);
}
