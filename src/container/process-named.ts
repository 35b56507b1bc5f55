import { processes } from '../cgroup/cgroup.ts';
import { FsError, quoted } from '../errno.ts';
import { pid as checkedPid, PID_MAX, type Pid } from '../ids.ts';
import { allPids } from '../proc/census.ts';
import { ownPidNamespace, pidView } from '../proc/pid-view.ts';
import { namespaceInode, readStatus } from '../proc/process.ts';
import type { Sight } from '../proc/sight.ts';
import type { Machine } from './machine.ts';

/** `self` is who asks, as in /proc. */
export const SELF = 'self';

export function isProcessName(text: string): boolean {
  return text === SELF || /^[0-9]+$/.test(text);
}

/**
 * The process that the caller means: `self`, or a pid as the caller's pid namespace has it. ESRCH if there is none. One whose
 * pid namespace is not the daemon's is looked for among those of the caller's container first, then everywhere. `sight`: of
 * the caller, at the beginning of this request.
 */
export async function processNamed(machine: Machine, caller: Pid, text: string, sight?: Sight): Promise<Pid> {
  const missing = new FsError('ESRCH', `there is no process ${quoted(text)} in the caller's pid namespace`);
  if (caller === 0) throw missing;
  if (text === SELF) {
    const tgid = readStatus(machine.files, caller)?.tgid;
    if (tgid === undefined) throw missing;
    return checkedPid(tgid);
  }
  const number = Number(text);
  if (!/^[0-9]{1,10}$/.test(text) || number < 1 || number > PID_MAX) throw missing;
  const own = sight ? sight.pidNamespace : namespaceInode(machine.files, caller, 'pid');
  if (own === ownPidNamespace(machine.files)) return checkedPid(number);
  const view = pidView(machine, caller);
  const found = (await nearby(machine, caller)).find((pid) => view(pid) === number);
  const pid = found ?? allPids(machine.files).find((candidate) => view(candidate) === number);
  if (pid === undefined) throw missing;
  return pid;
}

async function nearby(machine: Machine, caller: Pid): Promise<Pid[]> {
  const own = machine.containerOf(caller);
  return own?.parent ? await processes(machine.files, machine.cgroupOf(own)) : [];
}
