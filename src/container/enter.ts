import { readIfThere } from '../files.ts';
import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { isNamespaceKind } from '../namespaces.ts';
import { isLive, pathOf, type Container } from './container.ts';
import {
  askerOf,
  check,
  checkContainer,
  find,
  notYetIn,
  wantedOf,
  type Entry,
  type SeenAsker,
} from './enter-checks.ts';
import type { EnteredBy } from './entered.ts';
import { Entering, note, type EnterRequest } from './entering.ts';
import type { Machine } from './machine.ts';
import { requireMayLead } from './leaders.ts';
import { recordRefusal } from './refusal.ts';
import type { ProcStatus } from '../proc/parse.ts';
import { sightOf } from '../proc/sight.ts';
import { start } from './start.ts';

export interface Wish {
  readonly container: Container;
  /** What was linked: everything, or one kind of namespace. */
  readonly by: EnteredBy;
  /** If somebody looked already. */
  readonly seen?: SeenAsker;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Has a running process enter a container: all its namespaces and its cgroup, or one kind of namespace only, its membership
 * then staying as it is. Starts the container if need be. The caller may do what ptrace(2) would let it do to the target,
 * and needs to reach the container's directory; the kernel checks the rest with the target's credentials. All or nothing:
 * after a refusal the target is as it was. EPERM, EACCES, ESRCH, EBUSY, ENOTSUP, and what a start says.
 *
 * A caller that is the target waits in this very request, and cannot be stopped before it is answered: the promise is then
 * fulfilled early, and the rest is done before the caller's system call returns; if that is refused, the call fails.
 */
export async function enter(machine: Machine, wish: Wish, target: Pid, request: EnterRequest): Promise<Owner> {
  const { container, by } = wish;
  const what = `have process ${target} enter "${pathOf(container)}"`;
  if (!container.parent) throw new FsError('EPERM', `Cannot ${what}: every process is in the machine already`);
  const { caller } = request;
  requireMayLead(container, by, caller.uid, what);
  const kinds = isNamespaceKind(by) ? [by] : undefined;
  const found = find(machine, target, what);
  const entry: Entry = { target, startTime: found.stat.starttime, container, ...(kinds && { kinds }) };
  const asker = askerOf(machine, caller, what, wish.seen);
  // A former daemon, or its tracer after its death, had done it before it could be answered.
  if (request.resent === true && isIn(machine, entry)) {
    note(machine, entry, by, request.unique);
    return ownerOf(found.status);
  }
  let isFresh = true;
  if (!isLive(container)) {
    check(machine, entry, asker, what);
    await start(machine, container, request);
    isFresh = false;
  }
  const entering = new Entering(machine, { entry, by, asker, what, request });
  const done = machine.locks.hold(container, what, () => entering.run(isFresh ? found : undefined));
  // Who had to wait for the lock looks again.
  isFresh = false;
  if (asker.credentials.tgid !== Number(target)) await done;
  else await Promise.race([done, entering.answerable]);
  return ownerOf(found.status);
}

/** Whose the link is: as of files in /proc, the effective ids. */
export function ownerOf(status: ProcStatus | undefined): Owner {
  return { uid: status?.uids[1] ?? 0, gid: status?.gids[1] ?? 0 };
}

/**
 * The next daemon's part: processes that were told that they are inside, and may not be. Who cannot be brought in any more
 * is left alone, as after a refusal.
 */
export async function finishEntering(machine: Machine): Promise<void> {
  for (const { pid, startTime, container, by, begun } of [...machine.store.registry.entered.values()]) {
    if (!begun) continue;
    const kinds = isNamespaceKind(by) ? { kinds: [by] } : {};
    const entry: Entry = { target: pid, startTime, container, ...kinds };
    const what = `have process ${pid} enter "${pathOf(container)}" after a restart`;
    try {
      checkContainer(machine, container, what);
      if (isIn(machine, entry)) {
        note(machine, entry, by);
        continue;
      }
      if (find(machine, pid, what).stat.starttime !== startTime)
        throw new FsError('ESRCH', `Cannot ${what}: the process has ended`);
      const asker = askerOf(machine, { pid, ...ownIds(machine, pid) }, what);
      check(machine, entry, asker, what);
      await new Entering(machine, { entry, by, asker, what, request: undefined }).run();
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      machine.store.commit([{ op: 'leave', serial: container.serial, pid }]);
      recordRefusal(machine, container, error);
    }
  }
}

/** Whether there is nothing left to do. */
function isIn(machine: Machine, { target, container, kinds }: Entry): boolean {
  if (kinds === undefined && machine.containerOf(target) !== container) return false;
  const sight = sightOf(machine.files, target);
  return (
    sight !== undefined &&
    container.init !== undefined &&
    notYetIn(sight, wantedOf(machine, container, kinds)).length === 0
  );
}

function ownIds({ files }: Machine, pid: Pid): { uid: number; gid: number } {
  const text = readIfThere(files, `/proc/${pid}/status`) ?? '';
  const last = (key: string) => Number(new RegExp(`^${key}:(?:\\s+\\d+){3}\\s+(\\d+)`, 'm').exec(text)?.[1] ?? -1);
  return { uid: last('Uid'), gid: last('Gid') };
}
