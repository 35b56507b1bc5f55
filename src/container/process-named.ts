import { processes } from '../cgroup/cgroup.ts';
import { FsError, quoted } from '../errno.ts';
import { pid as checkedPid, PID_MAX, type Pid } from '../ids.ts';
import { findPaced } from '../pace.ts';
import { accountFor } from '../proc/accounts.ts';
import { allPids } from '../proc/census.ts';
import { pidView } from '../proc/pid-view.ts';
import { namespaceInode, ownNamespace, readStatus } from '../proc/process.ts';
import type { CallerSight } from '../proc/sight.ts';
import type { Account } from '../shares.ts';
import type { Machine } from './machine.ts';

/** `self` is who asks, as in /proc. */
export const SELF = 'self';

/** Of one user, searches among all processes of the machine that wait for one another; more are refused with EAGAIN. */
const SEARCHES_PER_UID = 64;

export function isProcessName(text: string): boolean {
  return text === SELF || /^[0-9]+$/.test(text);
}

/**
 * The process that the caller means: `self`, or a pid as the caller's pid namespace has it. ESRCH if there is none, EAGAIN if
 * too many are searched. One whose pid namespace is not the daemon's is looked for among those of the caller's container
 * first, then everywhere. `sight`: of the caller, at the beginning of this request.
 */
export async function processNamed(
  machine: Machine,
  { pid: caller, uid }: { readonly pid: Pid; readonly uid: number },
  text: string,
  sight?: CallerSight,
): Promise<Pid> {
  const meant = meaning(machine, caller, text, sight);
  if (meant?.pid !== undefined) return meant.pid;
  const isMeant = meant && seenAs(machine, caller, meant.number);
  const found =
    isMeant &&
    ((await findPaced(await nearby(machine, caller), isMeant)) ??
      (await inTurn(machine, uid, () => findPaced(allPids(machine.files), isMeant))));
  if (found === undefined)
    throw new FsError('ESRCH', `there is no process ${quoted(text)} in the caller's pid namespace`);
  return found;
}

/** As `processNamed`, of a few: nobody else is looked at. `undefined` if it is none of them. */
export async function processAmong<T extends { readonly pid: Pid }>(
  machine: Machine,
  caller: Pid,
  text: string,
  few: Iterable<T>,
): Promise<T | undefined> {
  const meant = meaning(machine, caller, text);
  if (!meant) return undefined;
  const isMeant = meant.pid === undefined ? seenAs(machine, caller, meant.number) : (pid: Pid) => pid === meant.pid;
  return await findPaced(few, ({ pid }) => isMeant(pid));
}

/** A process, or a number that is one in the caller's pid namespace; `undefined` for what cannot be either. */
type Meaning = { readonly pid: Pid } | { readonly pid?: undefined; readonly number: number };

function meaning({ files }: Machine, caller: Pid, text: string, sight?: CallerSight): Meaning | undefined {
  if (caller === 0) return undefined;
  if (text === SELF) {
    const tgid = readStatus(files, caller)?.tgid;
    return tgid === undefined ? undefined : { pid: checkedPid(tgid) };
  }
  const number = Number(text);
  if (!/^[0-9]{1,10}$/.test(text) || number < 1 || number > PID_MAX) return undefined;
  const own = sight ? sight.pidNamespace : namespaceInode(files, caller, 'pid');
  return own === ownNamespace(files, 'pid') ? { pid: checkedPid(number) } : { number };
}

function seenAs(machine: Machine, caller: Pid, number: number): (pid: Pid) => boolean {
  const view = pidView(machine, caller);
  return (pid) => view(pid) === number;
}

async function nearby(machine: Machine, caller: Pid): Promise<Pid[]> {
  const own = machine.containerOf(caller);
  return own?.parent ? await processes(machine.files, machine.cgroupOf(own)) : [];
}

interface Turns {
  waiting: number;
  last: Promise<unknown>;
}

const TURNS = new WeakMap<Machine, Map<Account, Turns>>();

/** One search of a user's at a time: many side by side would leave the others little of the event loop. */
async function inTurn<T>(machine: Machine, uid: number, search: () => Promise<T>): Promise<T> {
  const all = TURNS.get(machine) ?? new Map<Account, Turns>();
  TURNS.set(machine, all);
  const account = accountFor(machine.files, uid);
  const its = all.get(account) ?? { waiting: 0, last: Promise.resolve() };
  all.set(account, its);
  if (its.waiting >= SEARCHES_PER_UID) {
    throw new FsError('EAGAIN', `${SEARCHES_PER_UID} processes of other pid namespaces are being searched; try again`);
  }
  its.waiting += 1;
  const turn = its.last.then(search);
  its.last = turn.catch(() => undefined);
  try {
    return await turn;
  } finally {
    its.waiting -= 1;
    if (its.waiting === 0) all.delete(account);
  }
}
