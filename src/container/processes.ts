import { processes } from '../cgroup/cgroup.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import { ROOT_SERIAL, pid, type Pid } from '../ids.ts';
import { isKernelThread, readStat } from '../proc/process.ts';
import type { Container } from './container.ts';
import type { Machine } from './machine.ts';

/** `/proc` entries read in one go before the event loop gets its turn. */
const BATCH = 256;

/** Pids of the container itself, ascending, as the daemon has them; of the machine itself: those in no container. */
export async function processesOf(machine: Machine, container: Container): Promise<Pid[]> {
  if (container.serial !== ROOT_SERIAL) return await processes(machine.files, ownLeaf(machine.cgroupOf(container)));
  const found: Pid[] = [];
  const names = machine.files.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
  for (const [index, name] of names.entries()) {
    const candidate = pid(Number(name));
    const stat = readStat(machine.files, candidate);
    if (stat && !isKernelThread(stat) && machine.containerOf(candidate)?.serial === ROOT_SERIAL) found.push(candidate);
    if (index % BATCH === BATCH - 1) await new Promise(setImmediate);
  }
  return found;
}
