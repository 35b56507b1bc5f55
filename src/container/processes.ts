import { processes } from '../cgroup/cgroup.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import { ROOT_SERIAL, pid, type Pid } from '../ids.ts';
import { forEachPaced } from '../pace.ts';
import { isKernelThread, readStat } from '../proc/process.ts';
import type { Container } from './container.ts';
import { hasFound } from './kill-found.ts';
import type { Machine } from './machine.ts';

/** Pids of the container itself, ascending, as the daemon has them; of the machine itself: those in no container. */
export async function processesOf(machine: Machine, container: Container): Promise<Pid[]> {
  if (container.found) return await machine.found.processesOf(container);
  if (container.serial !== ROOT_SERIAL) {
    const pids = await processes(machine.files, ownLeaf(machine.cgroupOf(container)));
    return hasFound(container) ? pids.filter((pid) => machine.containerOf(pid) === container) : pids;
  }
  const found: Pid[] = [];
  const names = machine.files.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
  await forEachPaced(names, (name) => {
    const candidate = pid(Number(name));
    const stat = readStat(machine.files, candidate);
    if (stat && !isKernelThread(stat) && machine.containerOf(candidate)?.serial === ROOT_SERIAL) found.push(candidate);
  });
  return found;
}
