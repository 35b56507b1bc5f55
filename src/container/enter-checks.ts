import { FsError } from '../errno.ts';
import { readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';
import { runFiles } from '../instance.ts';
import { isNamespaceKind, NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { CAP_SETGID, CAP_SYS_ADMIN, capableIn } from '../proc/capability.ts';
import { credentialsFrom, maySearch, type Credentials } from '../proc/credentials.ts';
import type { ProcStat } from '../proc/parse.ts';
import { isMapped, rootOf } from '../proc/id-map.ts';
import { pidView } from '../proc/pid-view.ts';
import { isAlive, isKernelThread, isZombie, namespaceInode, ownNamespace } from '../proc/process.ts';
import { readLinks } from '../proc/scan.ts';
import { callerSight, namespaceIn, sightOf, type CallerSight, type Sight } from '../proc/sight.ts';
import { whyNotTrace } from '../proc/tracing-rule.ts';
import { chainOf, contains, frozenBy, isLive, pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** Who asks, from the request's header. */
export interface Asker {
  readonly pid: Pid;
  readonly uid: number;
  readonly gid: number;
}

/** Which process is to go where. */
export interface Entry {
  readonly target: Pid;
  /** Clock ticks since boot: with the pid, the process. */
  readonly startTime: number;
  readonly container: Container;
  /** Kinds of namespaces asked for; absent: all, and membership. */
  readonly kinds?: readonly NamespaceKind[];
}

/** Who asks, as he was seen at the beginning of this request. */
export interface SeenAsker {
  readonly asker: CallerSight | undefined;
  readonly viewRoot: Container;
}

/** Who asks: what he may do, and the container whose directory he has at the mount point. */
export interface Asking {
  readonly credentials: Credentials;
  readonly viewRoot: Container;
}

/**
 * What does not change while the asker waits for the answer. The credentials are those of the thread that waits for the answer, so its pid is not used again meanwhile;
 * the file-system ids have to be those that the kernel gave with the request. EPERM.
 */
export function askerOf(machine: Machine, { pid, uid, gid }: Asker, what: string, seen?: SeenAsker): Asking {
  const sight = pid === 0 ? undefined : (seen?.asker ?? callerSight(machine.files, pid));
  const credentials = sight && credentialsFrom(pid, sight.status, sight.userNamespace);
  if (credentials?.uids[3] === uid && credentials.gids[3] === gid) {
    return { credentials, viewRoot: seen?.viewRoot ?? viewRootOf(machine, pid, sight) };
  }
  throw new FsError('EPERM', `Cannot ${what}: the caller is not to be seen from the daemon's pid namespace`);
}

/** The start time makes the pid the process. ESRCH for one that is gone, a thread, or a zombie; EPERM for a kernel thread. */
export function find({ files }: Machine, target: Pid, what: string): Sight {
  const sight = sightOf(files, target);
  if (!sight || isZombie(sight.stat)) throw new FsError('ESRCH', `Cannot ${what}: there is no process ${target}`);
  const { stat, status } = sight;
  if (status.tgid !== target) {
    throw new FsError('ESRCH', `Cannot ${what}: ${target} is a thread of process ${status.tgid}; name that`);
  }
  if (isKernelThread(stat)) throw new FsError('EPERM', `Cannot ${what}: process ${target} is a kernel thread`);
  return sight;
}

/** How far a target has come: whose tracee it is, 0 for nobody's, and whether its cgroup is the container's already. */
export interface Progress {
  readonly tracer: number;
  readonly joined: boolean;
  /** It was looked at in this very turn. */
  readonly found?: Sight | undefined;
}

const UNTOUCHED: Progress = { tracer: 0, joined: false };

/** All that must hold before the target is touched, and again while it stands still. */
export function check(
  machine: Machine,
  entry: Entry,
  { credentials, viewRoot }: Asking,
  what: string,
  { tracer, joined, found = find(machine, entry.target, what) }: Progress = UNTOUCHED,
): Sight {
  const { target } = entry;
  const own = memberOf(machine, entry, found);
  if (found.stat.starttime !== entry.startTime) {
    throw new FsError('ESRCH', `Cannot ${what}: the process has ended`);
  }
  if (!own.found && own.init?.pid === target) {
    throw new FsError('EPERM', `Cannot ${what}: process ${target} is the init of a container`);
  }
  refuseLeader(machine, entry, what);
  refuseOutwards(machine, entry, own, found, what, joined);
  refusePath(machine, entry.container, credentials, viewRoot, what);
  const reason = whyNotTrace(machine, credentials, target, credentialsFrom(target, found.status, found.userNamespace));
  if (reason !== undefined) {
    throw new FsError('EPERM', `Cannot ${what}: the caller may not trace process ${target}: ${reason} (ptrace(2))`);
  }
  refuseUnfit(machine, found, what, tracer);
  return found;
}

/**
 * The container that the target is in. Who entered a part of one has a set of namespaces of his own, but is a member of where
 * he was.
 */
function memberOf(machine: Machine, { target, startTime }: Entry, found: Sight): Container {
  const declared = machine.declaredOf(found.cgroups);
  const noted = machine.store.registry.entered.get(target);
  if (noted?.startTime === startTime && isNamespaceKind(noted.by)) return declared;
  return machine.found.within(target, declared, found);
}

/** Who leads a container and goes on would leave it without a leader. */
function refuseLeader({ store }: Machine, { target, startTime }: Entry, what: string): void {
  const noted = store.registry.entered.get(target);
  if (noted?.by !== 'state' || noted.startTime !== startTime || noted.begun) return;
  throw new FsError('EPERM', `Cannot ${what}: it leads "${pathOf(noted.container)}", which ends when it does`);
}

/** Never out, only deeper. */
function refuseOutwards(
  machine: Machine,
  { container, kinds }: Entry,
  own: Container,
  found: Sight,
  what: string,
  joined: boolean,
): void {
  const frozen = frozenBy(own);
  if (frozen) throw new FsError('EBUSY', `Cannot ${what}: "${pathOf(frozen)}" is frozen; write running to its .state`);
  if (own !== container && contains(own, container)) return;
  if (
    own === container &&
    (joined || (kinds === undefined && notYetIn(found, wantedOf(machine, container)).length > 0))
  )
    return;
  const why = own === container ? 'it is in it already' : `it is in "${pathOf(own)}", which does not hold that`;
  throw new FsError('EPERM', `Cannot ${what}: ${why}; a process only enters deeper`);
}

/** Execute permission on every directory from where the asker's own tree begins. */
function refusePath(
  machine: Machine,
  container: Container,
  asker: Credentials,
  viewRoot: Container,
  what: string,
): void {
  for (const directory of chainOf(container)) {
    if (contains(directory, viewRoot) && directory !== container) continue;
    if (maySearch(machine, asker, directory)) continue;
    throw new FsError(
      'EACCES',
      `Cannot ${what}: no permission to search "${pathOf(directory)}"; ask its owner (chmod +x)`,
    );
  }
}

/** What tracing would break, or not achieve. */
function refuseUnfit(machine: Machine, { stat, status }: Sight, what: string, tracer: number): void {
  const refuse = (errno: 'EBUSY' | 'EPERM' | 'ENOTSUP', why: string): never => {
    throw new FsError(errno, `Cannot ${what}: process ${status.pid} ${why}`);
  };
  if (tracer === 0 && isOurs(machine, stat)) refuse('EPERM', "is nsdir's own");
  if (status.tracerPid !== tracer) refuse('EBUSY', `is traced by process ${status.tracerPid}; end that first`);
  if (status.threads > 1) refuse('ENOTSUP', `has ${status.threads} threads; only one with a single thread can enter`);
  if (status.seccomp !== 0) refuse('ENOTSUP', 'has a seccomp filter, which might kill it');
}

/** What the launcher is called, as all that our own program does for itself. */
const OWN_COMM = 'nsdir-init';

/** The daemon and its children, the supervisor, which is its parent, the launcher. */
function isOurs({ files, instance }: Machine, { pid, ppid, comm }: ProcStat): boolean {
  if (pid === process.pid || ppid === process.pid || (pid === process.ppid && pid !== 1)) return true;
  return comm === OWN_COMM && Number(readIfThere(files, runFiles(instance).launcherPid)) === pid;
}

/**
 * The container whose directory is the mount point for this process: the deepest around it whose mount namespace it is in,
 * and that has one of its own; else the machine. EPERM for a caller that was killed meanwhile.
 */
export function viewRootOf(machine: Machine, pid: Pid, sight?: CallerSight): Container {
  const { files } = machine;
  const { root } = machine.store.registry;
  const inode = sight ? sight.mountNamespace : namespaceInode(files, pid, 'mnt');
  // The daemon's is no container's own.
  if (inode !== undefined && inode === ownNamespace(files, 'mnt')) return root;
  const own = (sight ? containerOfCaller(machine, pid, sight) : machine.containerOf(pid)) ?? root;
  if (!own.parent || inode === undefined) return root;
  const has = ({ init, found, kinds = [] }: Container) =>
    init !== undefined && !found && kinds.includes('mnt') && namespaceInode(files, init.pid, 'mnt') === inode;
  return chainOf(own).findLast(has) ?? root;
}

function containerOfCaller(machine: Machine, pid: Pid, sight: CallerSight): Container {
  const { cgroups } = sight;
  if (cgroups === undefined) throw new FsError('EPERM', 'the caller was killed');
  return machine.found.withCaller(pid, machine.declaredOf(cgroups), sight);
}

/** A namespace of a container, by its kind and inode number. */
export interface Wanted {
  readonly kind: NamespaceKind;
  readonly inode: number;
}

/** The container's namespaces, or those of the kinds that are asked for. */
export function wantedOf({ files }: Machine, { init }: Container, asked?: readonly NamespaceKind[]): Wanted[] {
  return wantedFrom(init && readLinks(files, init.pid), asked);
}

/** `links`: as `readLinks` has those of the init. */
export function wantedFrom(links: readonly string[] | undefined, asked?: readonly NamespaceKind[]): Wanted[] {
  return NAMESPACE_KINDS.flatMap(({ kind }) => {
    const inode = links && asked?.includes(kind) !== false ? namespaceIn({ links }, kind) : undefined;
    return inode === undefined ? [] : [{ kind, inode }];
  });
}

/** The namespaces asked for that the target is not in yet. */
export function notYetIn(found: Sight, wanted: readonly Wanted[]): NamespaceKind[] {
  return wanted.filter(({ kind, inode }) => namespaceIn(found, kind) !== inode).map(({ kind }) => kind);
}

/** As `checkContainer`, by what is known, without a look at its init. */
export function checkPhase(container: Container, what: string): void {
  if (!isLive(container) || !container.init) refuseContainer(container, what);
  const frozen = frozenBy(container);
  if (frozen) throw new FsError('EBUSY', `Cannot ${what}: "${pathOf(frozen)}" is frozen; write running to its .state`);
}

/** EBUSY for a container that is not to be entered now, after it was started if that was needed. */
export function checkContainer({ files }: Machine, container: Container, what: string): void {
  checkPhase(container, what);
  const { init } = container;
  if (!init || !isAlive(files, init.pid, init.startTime)) refuseContainer(container, what);
}

function refuseContainer({ phase }: Container, what: string): never {
  throw new FsError('EBUSY', `Cannot ${what}: it is ${phase} and has no init; write running to its .state`);
}

/** The pid by which the target itself knows the container's init. EPERM if it cannot see it. */
export function initSeenBy(machine: Machine, { target, container }: Entry, found: Sight, what: string): number {
  const seen = container.init && pidView(machine, target, found.pidNamespace)(container.init.pid);
  if (seen !== undefined) return seen;
  throw new FsError('EPERM', `Cannot ${what}: the container's init is not in the pid namespace of process ${target}`);
}

/**
 * Whether the target's user has no number in the container's user namespace. Root of the machine would stay that in all that
 * asks for owners, among processes that may trace him there: so he becomes the root of the container. EPERM if there is none.
 */
export function isNobodyThere({ files, kernel }: Machine, entry: Entry, found: Sight, what: string): boolean {
  const { init } = entry.container;
  const { uids } = found.status;
  if (!init || uids.every((uid) => isMapped(files, init.pid, 'uid', uid))) return false;
  if (rootOf(files, init.pid, 'uid') === undefined || rootOf(files, init.pid, 'gid') === undefined) {
    throw new FsError('EPERM', `Cannot ${what}: neither uid ${uids[0]} nor 0 is an id in its user namespace`);
  }
  // Asked before it has done a part of it: groups that it left are not to be had again.
  const { capEffective } = found.status;
  const holder = { uids, capEffective, userNamespace: found.userNamespace ?? 0 };
  const canLeave =
    (capEffective & (1n << BigInt(CAP_SETGID))) !== 0n && capableIn({ kernel }, holder, init.pid, CAP_SYS_ADMIN);
  if (canLeave) return true;
  throw new FsError('EPERM', `Cannot ${what}: ${privilegesOf(entry.target)}`);
}

const privilegesOf = (target: Pid) =>
  `process ${target} lacks the privileges for these namespaces (setns(2)): CAP_SYS_ADMIN over them`;

/** What an error on the way means; those of a system call in the target, of setns(2) above all, say little themselves. */
export function explain(error: FsError, { target }: Entry, what: string): FsError {
  if (error.message.startsWith('Cannot')) return error;
  const why: Partial<Record<string, string>> = {
    EPERM: privilegesOf(target),
    EINVAL: `the kernel does not let process ${target} join these namespaces (setns(2))`,
    ESRCH: `process ${target} ended meanwhile`,
  };
  const known = why[error.errno];
  const errno = error.errno === 'EINVAL' ? 'EPERM' : error.errno;
  return new FsError(errno, `Cannot ${what}: ${known === undefined ? error.message : `${known}: ${error.message}`}`);
}
