import { ifThere, readIfThere, type FileAccess } from '../files.ts';
import { pid as checkedPid, type Pid } from '../ids.ts';
import { capableIn, userNamespaceDepth } from './capability.ts';
import { credentialsOf, type Asked, type Credentials } from './credentials.ts';
import { rootOf } from './id-map.ts';
import { readStat } from './process.ts';

/** capabilities(7) */
const CAP_SYS_PTRACE = 19;

/** Inode number of the initial user namespace, above all others (PROC_USER_INIT_INO, linux/nsfs.h). */
const INITIAL_USER = 0xeffffffd;

const YAMA = '/proc/sys/kernel/yama/ptrace_scope';

/** Generations that are gone up; a chain of processes may be long, but is finite. */
const ANCESTORS_LIMIT = 4096;

/** What an LSM calls a process that it leaves alone (apparmor(7), selinux(8)). */
const UNCONFINED = /^(?:unconfined|.*:unconfined_t(?::.*)?|kernel|)$/;

/**
 * Why `caller` may not trace `target`, in a few words; `undefined` if it may. The kernel's rule for PTRACE_ATTACH (ptrace(2),
 * "Ptrace access mode checking", with PTRACE_MODE_ATTACH_REALCREDS), applied from outside: where that cannot be known for
 * certain, it may not. To be asked again while the target is stopped: credentials change.
 */
export function whyNotTrace(
  asked: Asked,
  caller: Credentials,
  target: Pid,
  its = credentialsOf(asked, target),
): string | undefined {
  if (!its) return 'it is gone';
  if (its.tgid === caller.tgid) return undefined;
  return whyIdsRefuse(asked, caller, its) ?? whyModuleRefuses(asked.files, caller, target);
}

/** Whether it is the caller alone that the answer depends on: root of the machine, whose label, if there are any, allows all. */
export function mayTraceAnybody({ files }: Asked, caller: Credentials): boolean {
  return hasMachineWide(caller) && (!hasLabels(files, caller.pid) || UNCONFINED.test(labelOf(files, caller.pid)));
}

function hasMachineWide({ userNamespace, capEffective }: Credentials): boolean {
  return userNamespace === INITIAL_USER && (capEffective & (1n << BigInt(CAP_SYS_PTRACE))) !== 0n;
}

function whyIdsRefuse(asked: Asked, caller: Credentials, its: Credentials): string | undefined {
  const target = its.pid;
  if (hasMachineWide(caller)) return whyYamaRefuses(asked, caller, target, true);
  const capable = capableIn(asked, caller, target, CAP_SYS_PTRACE);
  if (!capable && !haveSameIds(caller, its))
    return `it is not of uid ${caller.uids[0]} and gid ${caller.gids[0]} alone`;
  if (!mayReadItsMemory(asked, caller, its)) return 'it is not known to be dumpable (prctl(2), PR_SET_DUMPABLE)';
  const isSubset = caller.userNamespace === its.userNamespace && (its.capPermitted & ~caller.capPermitted) === 0n;
  if (!isSubset && !capable) return 'it has capabilities that the caller lacks';
  return whyYamaRefuses(asked, caller, target, capable);
}

/** The caller's real ids are all that the target has. */
function haveSameIds(caller: Credentials, its: Credentials): boolean {
  const [uid, gid] = [caller.uids[0], caller.gids[0]];
  return its.uids.slice(0, 3).every((id) => id === uid) && its.gids.slice(0, 3).every((id) => id === gid);
}

/**
 * Files below /proc/PID belong to the effective ids of a process that is dumpable, else to root as the user namespace of its
 * memory has it (proc(5)). So those of a process whose ids are that root's do not tell; then a capability in that user
 * namespace is needed, and where that may be one further out, in the daemon's own.
 */
function mayReadItsMemory(asked: Asked, caller: Credentials, its: Credentials): boolean {
  const inMachine = () => capableIn(asked, caller, 'self', CAP_SYS_PTRACE);
  const owner = ifThere(() => asked.files.statSync(`/proc/${its.pid}/environ`));
  const [uid, gid] = [its.uids[1], its.gids[1]];
  if (owner?.uid !== uid || owner?.gid !== gid) return inMachine();
  const depth = userNamespaceDepth(asked, its.pid);
  if (depth === 0) return uid !== 0 || gid !== 0 || inMachine();
  if (depth !== 1 || (uid === 0 && gid === 0)) return inMachine();
  // An id that is nobody there stands for root.
  const isItsRoot =
    (rootOf(asked.files, its.pid, 'uid') ?? 0) === uid && (rootOf(asked.files, its.pid, 'gid') ?? 0) === gid;
  return !isItsRoot || capableIn(asked, caller, its.pid, CAP_SYS_PTRACE);
}

/** Documentation/admin-guide/LSM/Yama.rst. Who was named by PR_SET_PTRACER is not to be seen: refused. */
function whyYamaRefuses(asked: Asked, caller: Credentials, target: Pid, capable: boolean): string | undefined {
  if (!known(asked.files, YAMA, () => asked.files.existsSync(YAMA))) return undefined;
  const scope = Number(readIfThere(asked.files, YAMA) ?? 0);
  if (scope === 0 || (scope === 1 && (capable || isAncestor(asked.files, caller.tgid, target)))) return undefined;
  if (scope === 2 && capable) return undefined;
  return `kernel.yama.ptrace_scope is ${scope}`;
}

function isAncestor(files: FileAccess, ancestor: number, of: Pid): boolean {
  let at: number | undefined = of;
  for (let generation = 0; generation < ANCESTORS_LIMIT && at !== undefined && at > 0; generation++) {
    if (at === ancestor) return true;
    at = readStat(files, checkedPid(at))?.ppid;
  }
  return false;
}

/** Another security module's label (proc_pid_attr(5)): what its rules say is not known here. */
function whyModuleRefuses(files: FileAccess, caller: Credentials, target: Pid): string | undefined {
  if (!hasLabels(files, caller.pid, target)) return undefined;
  const [mine, its] = [labelOf(files, caller.pid), labelOf(files, target)];
  return mine === its || UNCONFINED.test(mine) ? undefined : `its security label is "${its}"`;
}

/** Of a kernel without such modules the file is there, and reading it fails: found out once. */
function hasLabels(files: FileAccess, ...pids: readonly Pid[]): boolean {
  return known(files, 'labels', () => pids.some((pid) => labelOf(files, pid) !== ''));
}

function labelOf(files: FileAccess, pid: Pid): string {
  try {
    return files.readFileSync(`/proc/${pid}/attr/current`, 'utf8').replace(/[\0\n]+$/, '');
  } catch {
    return ''; // EINVAL where there is no such module
  }
}

/** What a kernel has, it has until it ends; asked once for each way to it. */
const KNOWN = new WeakMap<FileAccess, Map<string, boolean>>();

function known(files: FileAccess, what: string, ask: () => boolean): boolean {
  const answers = KNOWN.get(files) ?? new Map<string, boolean>();
  KNOWN.set(files, answers);
  const answer = answers.get(what) ?? ask();
  answers.set(what, answer);
  return answer;
}
