import { readIfThere } from '../files.ts';
import { errnoNumber, FsError } from '../errno.ts';
import { directoryOf } from '../cgroup/hierarchy.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import type { Pid } from '../ids.ts';
import { cloneFlags, type NamespaceKind } from '../namespaces.ts';
import { Tracee } from '../kernel/tracee.ts';
import type { Credentials } from '../proc/credentials.ts';
import { isLive, pathOf, type Container } from './container.ts';
import {
  askerOf,
  check,
  checkContainer,
  explain,
  initSeenBy,
  missingKinds,
  pin,
  type Asker,
  type Entry,
} from './enter-checks.ts';
import type { EnteredBy } from './entered.ts';
import type { Machine } from './machine.ts';
import { recordRefusal } from './refusal.ts';
import { start, type Starter } from './start.ts';

/** linux/sched.h */
const CLONE_FS = 0x200n;
/** The same on all machines (asm-generic/unistd.h). */
const SYS_PIDFD_OPEN = 434n;

export interface Wish {
  readonly container: Container;
  /** What was linked: everything, or one kind of namespace. */
  readonly by: EnteredBy;
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
export async function enter(machine: Machine, wish: Wish, target: Pid, request: EnterRequest): Promise<void> {
  const { container, by } = wish;
  const what = `have process ${target} enter "${pathOf(container)}"`;
  if (!container.parent) throw new FsError('EPERM', `Cannot ${what}: every process is in the machine already`);
  const kinds: NamespaceKind[] | undefined = by === 'symlink' || by === 'nsproxy' ? undefined : [by];
  const entry: Entry = { target, startTime: pin(machine, target, what), container, ...(kinds && { kinds }) };
  const asker = askerOf(machine, request.caller, what);
  if (!isLive(container)) {
    check(machine, entry, asker, what);
    await start(machine, container, request);
  }
  const entering = new Entering(machine, { entry, by, asker, what, request });
  const done = machine.locks.hold(container, what, () => entering.run());
  if (asker.tgid !== Number(target)) await done;
  else await Promise.race([done, entering.answerable]);
}

/**
 * The next daemon's part: processes that were told that they are inside, and may not be. Who cannot be brought in any more
 * is left alone, as after a refusal.
 */
export async function finishEntering(machine: Machine): Promise<void> {
  for (const { pid, startTime, container, by, begun } of [...machine.store.registry.entered.values()]) {
    if (!begun) continue;
    const kinds = by === 'symlink' || by === 'nsproxy' ? {} : { kinds: [by] };
    const entry: Entry = { target: pid, startTime, container, ...kinds };
    const what = `have process ${pid} enter "${pathOf(container)}" after a restart`;
    try {
      checkContainer(container, what);
      if (machine.containerOf(pid) === container && missingKinds(machine, pid, container).length === 0) {
        machine.store.commit([{ op: 'enter', serial: container.serial, pid, startTime, by }]);
        continue;
      }
      if (pin(machine, pid, what) !== startTime) throw new FsError('ESRCH', `Cannot ${what}: the process has ended`);
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

function ownIds({ files }: Machine, pid: Pid): { uid: number; gid: number } {
  const text = readIfThere(files, `/proc/${pid}/status`) ?? '';
  const last = (key: string) => Number(new RegExp(`^${key}:(?:\\s+\\d+){3}\\s+(\\d+)`, 'm').exec(text)?.[1] ?? -1);
  return { uid: last('Uid'), gid: last('Gid') };
}

interface Plan {
  readonly entry: Entry;
  readonly by: EnteredBy;
  readonly asker: Credentials;
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

  async run(): Promise<void> {
    const { entry, asker, what, request } = this.#plan;
    checkContainer(entry.container, what);
    check(this.#machine, entry, asker, what);
    const initPid = initSeenBy(this.#machine, entry, what);
    const isSelf = request !== undefined && asker.tgid === Number(entry.target);
    if (isSelf) this.#note(true, request);
    const back = entry.kinds === undefined ? this.#join() : () => undefined;
    let tracee: Tracee | undefined;
    try {
      tracee = new Tracee(this.#machine.tracer, entry.target);
      tracee.interrupt();
      if (isSelf) {
        this.#isAnswered = true;
        this.#answer();
      }
      await tracee.stopped();
      this.#inject(tracee, initPid);
    } catch (error) {
      back();
      const refusal = explain(error, entry, what);
      tracee?.end(this.#isAnswered ? errnoNumber(refusal.errno) : undefined);
      if (isSelf) this.#machine.store.commit([{ op: 'leave', serial: entry.container.serial, pid: entry.target }]);
      if (!this.#isAnswered) throw refusal;
      recordRefusal(this.#machine, entry.container, refusal);
      return;
    }
    this.#note(false, isSelf ? undefined : request);
    this.#machine.events.emit(entry.container, 'entered');
  }

  /** Nothing is awaited here: see `Tracee`. */
  #inject(tracee: Tracee, initPid: number): void {
    const { entry, asker, what } = this.#plan;
    const joined = entry.kinds === undefined;
    check(this.#machine, entry, asker, what, { tracer: process.pid, joined });
    checkContainer(entry.container, what);
    const missing = missingKinds(this.#machine, entry.target, entry.container, entry.kinds);
    if (missing.length > 0) {
      const { calls } = this.#architecture();
      tracee.begin();
      // Another process may share root and working directory, which a mount namespace changes.
      if (missing.includes('mnt')) tracee.call('unshare', calls.unshare, CLONE_FS);
      const pidfd = tracee.call('pidfd_open', SYS_PIDFD_OPEN, BigInt(initPid), 0n);
      try {
        tracee.call('setns', calls.setns, pidfd, BigInt(cloneFlags(missing)));
      } finally {
        tracee.call('close', calls.close, pidfd);
      }
    }
    tracee.end();
  }

  #architecture() {
    const { architecture } = this.#machine.tracer;
    if (!architecture) throw new FsError('ENOSYS', 'this kind of machine is not known');
    return architecture;
  }

  /** Moves the target into the container's cgroup; returns what moves it back. */
  #join(): () => void {
    const { files, hierarchy, cgroupOf, log } = this.#machine;
    const { target, container } = this.#plan.entry;
    const was = /^0::(.*)$/m.exec(readIfThere(files, `/proc/${target}/cgroup`) ?? '')?.[1];
    const leaf = ownLeaf(cgroupOf(container));
    const before = was === undefined ? undefined : directoryOf(hierarchy, was);
    if (before === leaf) return () => undefined;
    files.writeFileSync(`${leaf}/cgroup.procs`, String(target));
    return () => {
      try {
        if (before !== undefined) files.writeFileSync(`${before}/cgroup.procs`, String(target));
      } catch (error) {
        log.warn({ target, before, err: error }, 'cannot move a process back to its cgroup');
      }
    };
  }

  #note(begun: boolean, request: EnterRequest | undefined): void {
    const { entry, by } = this.#plan;
    const { container, target: pid, startTime } = entry;
    this.#machine.store.commit([{ op: 'enter', serial: container.serial, pid, startTime, by, begun }], request?.unique);
  }
}
