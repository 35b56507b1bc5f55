import { readIfThere } from '../files.ts';
import { errnoNumber, FsError, systemErrno } from '../errno.ts';
import { directoryOf } from '../cgroup/hierarchy.ts';
import { ownLeaf, unifiedPath } from '../cgroup/paths.ts';
import type { Pid } from '../ids.ts';
import { isNamespaceKind } from '../namespaces.ts';
import type { Tracee } from '../kernel/tracee.ts';
import { isLive, pathOf, type Container } from './container.ts';
import {
  askerOf,
  check,
  checkContainer,
  checkPhase,
  explain,
  find,
  initSeenBy,
  isNobodyThere,
  notYetIn,
  wantedOf,
  type Asker,
  type Asking,
  type Entry,
  type SeenAsker,
  type Wanted,
} from './enter-checks.ts';
import type { EnteredBy } from './entered.ts';
import { joining } from './joining.ts';
import { ownCgroup } from './kill-found.ts';
import type { Machine } from './machine.ts';
import { requireMayLead } from './leaders.ts';
import { recordRefusal } from './refusal.ts';
import { accountFor } from '../proc/accounts.ts';
import type { ProcStatus } from '../proc/parse.ts';
import { sightOf, type Sight } from '../proc/sight.ts';
import { start, type Starter } from './start.ts';

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

export interface EnterRequest extends Starter {
  readonly caller: Asker;
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

function note(
  { store }: Machine,
  { container, target, startTime }: Entry,
  by: EnteredBy,
  done?: number,
  begun = false,
) {
  store.commit([{ op: 'enter', serial: container.serial, pid: target, startTime, by, begun }], done);
}

function ownIds({ files }: Machine, pid: Pid): { uid: number; gid: number } {
  const text = readIfThere(files, `/proc/${pid}/status`) ?? '';
  const last = (key: string) => Number(new RegExp(`^${key}:(?:\\s+\\d+){3}\\s+(\\d+)`, 'm').exec(text)?.[1] ?? -1);
  return { uid: last('Uid'), gid: last('Gid') };
}

interface Plan {
  readonly entry: Entry;
  readonly by: EnteredBy;
  readonly asker: Asking;
  readonly what: string;
  /** Absent for what a former daemon answered. */
  readonly request: EnterRequest | undefined;
}

/** One process on its way into one container. */
class Entering {
  readonly #machine: Machine;
  readonly #plan: Plan;
  /** Fulfilled when the target, which is the caller, has to be answered before it can stop. */
  readonly answerable: Promise<void>;
  #answer: () => void = () => undefined;
  #isAnswered = false;

  constructor(machine: Machine, plan: Plan) {
    this.#machine = machine;
    this.#plan = plan;
    this.answerable = new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** `found`: the target, looked at in this very turn. */
  async run(found?: Sight): Promise<void> {
    const { entry, asker, what, request } = this.#plan;
    checkPhase(entry.container, what);
    const looked = check(this.#machine, entry, asker, what, { tracer: 0, joined: false, found });
    const initPid = initSeenBy(this.#machine, entry, looked, what);
    const isSelf = request !== undefined && asker.credentials.tgid === Number(entry.target);
    if (isSelf) this.#note(true, request);
    let back: () => void = () => undefined;
    let tracee: Tracee | undefined;
    try {
      // Who waits for the answer cannot stop before he has it, but does nothing else. Anybody else stands still before he
      // is moved: what he forks meanwhile would stay in the cgroup, whatever becomes of him.
      if (isSelf) {
        if (entry.kinds === undefined) back = await this.#join(unifiedPath(looked.cgroups));
        tracee = await this.#seize(true);
        this.#isAnswered = true;
        this.#answer();
      } else tracee = await this.#seize(false);
      // While it comes to its stop, which takes as long.
      const wanted = this.#wanted();
      await tracee.stopped();
      if (!isSelf && entry.kinds === undefined) back = await this.#join(unifiedPath(looked.cgroups));
      await this.#bringIn(tracee, { initPid, wanted });
    } catch (error) {
      const refusal = error instanceof FsError ? explain(error, entry, what) : undefined;
      back();
      await tracee?.end(this.#isAnswered ? errnoNumber(refusal?.errno ?? 'EIO') : undefined);
      if (isSelf) this.#machine.store.commit([{ op: 'leave', serial: entry.container.serial, pid: entry.target }]);
      if (!refusal || !this.#isAnswered) throw refusal ?? error;
      recordRefusal(this.#machine, entry.container, refusal, request?.caller);
      return;
    }
    this.#note(false, isSelf ? undefined : request);
    // After the answer, and before the next request.
    setImmediate(() => {
      this.#machine.events.emit(entry.container, 'entered');
    });
  }

  #seize(isTold: boolean): Promise<Tracee> {
    const { files, tracer } = this.#machine;
    const { entry, request } = this.#plan;
    return tracer.seize(entry.target, isTold, accountFor(files, request?.caller.uid ?? 0));
  }

  /** Of a container whose init lives. */
  #wanted(): readonly Wanted[] {
    const { entry, what } = this.#plan;
    checkContainer(this.#machine, entry.container, what);
    return wantedOf(this.#machine, entry.container, entry.kinds);
  }

  /** While the target stands still: all is asked again, and then it enters. */
  async #bringIn(
    tracee: Tracee,
    { initPid, wanted }: { readonly initPid: number; readonly wanted: readonly Wanted[] },
  ): Promise<void> {
    const { entry, asker, what } = this.#plan;
    const joined = entry.kinds === undefined;
    const found = check(this.#machine, entry, asker, what, { tracer: tracee.tracer, joined });
    checkContainer(this.#machine, entry.container, what);
    const missing = notYetIn(found, wanted);
    const becomesRoot = missing.includes('user') && isNobodyThere(this.#machine, entry, found, what);
    if (missing.length > 0) await tracee.call(joining(initPid, missing, becomesRoot));
    else await tracee.end();
  }

  /** Moves the target from its cgroup, `was`, into the container's, if that has one of its own; returns what moves it back. */
  async #join(was: string | undefined): Promise<() => void> {
    const { files, hierarchy, cgroupOf, log } = this.#machine;
    const { target, container } = this.#plan.entry;
    const leaf = container.found ? await ownCgroup(this.#machine, container) : ownLeaf(cgroupOf(container));
    const before = was === undefined ? undefined : directoryOf(hierarchy, was);
    if (leaf === undefined || before === leaf) return () => undefined;
    joinCgroup(this.#machine, leaf, target, this.#plan.what);
    return () => {
      try {
        if (before !== undefined) files.writeFileSync(`${before}/cgroup.procs`, String(target));
      } catch (error) {
        log.warn({ target, before, err: error }, 'cannot move a process back to its cgroup');
      }
    };
  }

  #note(begun: boolean, request: EnterRequest | undefined): void {
    note(this.#machine, this.#plan.entry, this.#plan.by, request?.unique, begun);
  }
}

/** EPERM where the daemon may not move it there: it is no root's, and the process's cgroup was not handed to its user; ESRCH. */
function joinCgroup({ files }: Machine, leaf: string, target: Pid, what: string): void {
  try {
    files.writeFileSync(`${leaf}/cgroup.procs`, String(target));
  } catch (cause) {
    const errno = systemErrno(cause);
    if (errno === undefined) throw cause;
    if (errno !== 'EACCES') throw new FsError(errno, 'it cannot join the cgroup', { cause });
    const text = `Cannot ${what}: its cgroup is not below the one that nsdir was mounted from, which alone is yours`;
    throw new FsError('EPERM', text, { cause });
  }
}
