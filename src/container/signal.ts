import { constants } from 'node:os';
import { processes } from '../cgroup/cgroup.ts';
import { FsError, quoted } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { contains, isLive, pathOf, subtree, type Container } from './container.ts';
import { hasFound } from './kill-found.ts';
import type { Machine } from './machine.ts';
import { maySignal, requireMaySignal } from './may-signal.ts';
import { wayOf } from './ways.ts';

/** signal(7): real-time signals as the C library counts them. */
const RTMIN = 34;
const SIGNAL_MAX = 64;

/** Rounds in which what was forked meanwhile is signalled too. */
const ROUNDS_LIMIT = 8;

export interface Signaller {
  readonly caller: { readonly uid: number };
  readonly unique: number;
}

/**
 * Sends a signal to every process of the subtree but the inits, which are ours; SIGKILL to them too. By kill(2)'s rule:
 * EPERM, and nobody gets it, if the caller may not signal one of them. EINVAL for no signal, EBUSY if none runs.
 */
export async function signalAll(
  machine: Machine,
  container: Container,
  request: Signaller,
  text: string,
): Promise<void> {
  const { store, events } = machine;
  const signal = parseSignal(text);
  const what = `signal "${pathOf(container)}"`;
  if (!isLive(container)) throw new FsError('EBUSY', `Cannot ${what}: it is ${container.phase}; nothing runs in it`);
  const targets = await targetsOf(machine, container, signal);
  for (const target of targets) requireMaySignal(machine, target, request.caller.uid, what);
  // Written down first: a request that is sent again after a crash must not signal twice.
  store.commit([], request.unique);
  const reached = new Set<Pid>();
  for (let round = 0; round < ROUNDS_LIMIT; round++) {
    const fresh = (await targetsOf(machine, container, signal)).filter((pid) => !reached.has(pid));
    if (fresh.length === 0) break;
    for (const target of fresh) {
      send(machine, container, target, signal, request.caller.uid);
      reached.add(target);
    }
  }
  events.emit(container, 'signalled', signal);
}

/** Who owns the directory of a discovered container need not own all that runs in it: kill(2)'s rule. */
export async function requireMayKill(machine: Machine, container: Container, uid: number, what: string): Promise<void> {
  if (uid === 0 || !hasFound(container)) return;
  for (const pid of await machine.found.processesBelow(container)) requireMaySignal(machine, pid, uid, what);
}

async function targetsOf(machine: Machine, container: Container, signal: number): Promise<Pid[]> {
  const inCgroups = await processes(machine.files, machine.cgroupOf(container));
  const pids = hasFound(container)
    ? [...new Set([...inCgroups, ...(await machine.found.processesBelow(container))])]
    : inCgroups;
  if (signal === constants.signals.SIGKILL) return pids;
  const ours = [...subtree(container)].filter((node) => !node.found && wayOf(node).isInitOurs);
  const inits = new Set(ours.map(({ init }) => init?.pid));
  return pids.filter((pid) => !inits.has(pid));
}

/** Pins the process, looks again whether it is in the container and may be signalled, and only then signals. */
function send(machine: Machine, container: Container, target: Pid, signal: number, uid: number): void {
  const { kernel } = machine;
  let pidfd: number | undefined;
  try {
    pidfd = kernel.pidfdOpen(target);
    const own = machine.containerOf(target);
    if (own && contains(container, own) && maySignal(machine, target, uid)) kernel.pidfdSendSignal(pidfd, signal);
  } catch (error) {
    if (!(error instanceof FsError && error.errno === 'ESRCH')) throw error;
  } finally {
    if (pidfd !== undefined) kernel.close(pidfd);
  }
}

/** `TERM`, `SIGTERM`, `15`, `RTMIN+3`. EINVAL for anything else, 0 included. */
export function parseSignal(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const named = (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
  const realTime = /^RTMIN(?:\+(\d{1,2}))?$/.exec(name);
  const number = named ?? (realTime ? RTMIN + Number(realTime[1] ?? 0) : /^\d{1,2}$/.test(name) ? Number(name) : 0);
  if (number >= 1 && number <= SIGNAL_MAX) return number;
  throw new FsError('EINVAL', `${quoted(text)} is not a signal; write a name such as TERM, or 1 to ${SIGNAL_MAX}`);
}
