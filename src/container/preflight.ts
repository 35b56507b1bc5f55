import { readdirSync } from 'node:fs';
import { PROGRAM_INSIDE } from '../checkpoint/arguments.ts';
import { processes } from '../cgroup/cgroup.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import { waitUntil } from '../cgroup/wait.ts';
import { FsError } from '../errno.ts';
import { ifThere, readIfThere, readlinkIfAllowed } from '../files.ts';
import type { Pid } from '../ids.ts';
import { parseMountinfo } from '../mountinfo.ts';
import { NAMESPACE_KINDS } from '../namespaces.ts';
import { rootOf } from '../proc/id-map.ts';
import { namespacesOf, readStat, readStatus } from '../proc/process.ts';
import { chainOf, pathOf, type Container } from './container.ts';
import { foreignMounts } from './foreign-mounts.ts';
import type { Machine } from './machine.ts';
import { wayOf } from './ways.ts';

/** Kinds that must be the container's own: CRIU makes them anew. */
const NEEDED = ['mnt', 'pid'] as const;

/** Kinds that a process in the container may have made another one of; net where the container has its own. */
const MAY_DIFFER: readonly string[] = ['mnt', 'net'];

/** What /proc/PID/fd/N says of descriptors that CRIU has no image for. */
const UNSUPPORTED = [
  { link: /^anon_inode:\[?io_uring\]?/, what: 'io_uring' },
  { link: /^anon_inode:bpf|^anon_inode:\[?bpf/, what: 'a bpf object' },
  { link: /^anon_inode:\[?perf_event\]?/, what: 'a perf event' },
  { link: /^anon_inode:\[?userfaultfd\]?/, what: 'userfaultfd' },
  { link: /^anon_inode:\[?landlock/, what: 'a landlock ruleset' },
  { link: /^\/dev\/fuse$/, what: '/dev/fuse' },
  { link: /^\/secretmem/, what: 'secret memory' },
  { link: /^\/dev\/tty[0-9S]/, what: 'a terminal of the machine' },
] as const;

/** An init says that it is ready just before it goes on as the program inside. */
const PROGRAM_WAIT_MS = 200;

/** Descriptors of one process that are looked at. */
const DESCRIPTORS_LIMIT = 4096;

/**
 * Throws EIO with what stands in the way of a checkpoint, as far as it can be known before anything is frozen: which
 * process, what, and what to do. The container runs.
 */
export async function preflight(machine: Machine, container: Container): Promise<void> {
  const { files } = machine;
  const cannot = (why: string) => new FsError('EIO', `Cannot checkpoint "${pathOf(container)}": ${why}`);
  const { init, kinds = [] } = container;
  if (!init) throw cannot('its init has ended; stop it, or wait until it has no processes');
  for (const kind of NEEDED) {
    if (kinds.includes(kind)) continue;
    throw cannot(`it has no ${kind} namespace of its own; start it with one: the default is enough`);
  }
  const isOurs = wayOf(container).isInitOurs;
  const inUserNamespace = usesUserNamespace(machine, container, isOurs, cannot);
  const runsInside = () => readlinkIfAllowed(files, `/proc/${init.pid}/exe`) === PROGRAM_INSIDE;
  if (isOurs && !(await waitUntil(runsInside, PROGRAM_WAIT_MS))) {
    if (inUserNamespace) throw cannot('its mount tree is the machine’s, as in any user namespace before Linux 5.2');
    throw cannot('its init was started by another version of nsdir; stop and start it first');
  }
  const hidden = isOurs ? undefined : mountOfNobody(machine, container);
  if (hidden !== undefined) {
    throw cannot(`what it has mounted at ${hidden} cannot be seen on the machine, so it could not be found again`);
  }
  if (!isOurs && hasNoPlaceForCriu(machine, init.pid)) {
    throw cannot(
      'its root is read-only and has no /tmp, which CRIU needs to restore it; make that directory in the bundle',
    );
  }
  const pids = await processes(files, ownLeaf(machine.cgroupOf(container)));
  const family = new Set<number>([init.pid]);
  for (const pid of byAncestry(machine, pids)) if (family.has(pid.parent)) family.add(pid.pid);
  const own = namespacesOf(files, init.pid);
  for (const pid of pids) {
    const name = `process ${pid} (${readIfThere(files, `/proc/${pid}/comm`)?.trim() ?? '?'})`;
    const stat = readStat(files, pid);
    if (!stat) continue;
    if (!family.has(pid)) throw cannot(`${name} entered from outside, and its parent is there; end it first`);
    const its = namespacesOf(files, pid);
    const foreign = NAMESPACE_KINDS.find(
      ({ kind }) =>
        !(MAY_DIFFER.includes(kind) && kinds.includes(kind)) && its[kind] !== undefined && its[kind] !== own[kind],
    );
    if (foreign)
      throw cannot(`${name} has a ${foreign.kind} namespace of its own; end it first, or make a container of it`);
    const why = obstacle(machine, pid, { isInit: isOurs && pid === init.pid, inUserNamespace });
    if (why !== undefined) throw cannot(`${name} ${why}`);
  }
}

/**
 * Whether it has a user namespace of its own. That must be root's, in the machine's, of a container that was made here:
 * CRIU makes it anew where the machine is, with mounts that are each bound alone.
 */
function usesUserNamespace(
  { files }: Machine,
  container: Container,
  isOurs: boolean,
  cannot: (why: string) => FsError,
): boolean {
  const { init, kinds = [] } = container;
  const around = chainOf(container).find((outer) => outer !== container && outer.init && outer.kinds?.includes('user'));
  if (around) {
    throw cannot(
      `it is in the user namespace of "${pathOf(around)}", where CRIU cannot make it anew; end it, or move it out`,
    );
  }
  if (!init || !kinds.includes('user')) return false;
  if (!isOurs) throw cannot('its bundle has a user namespace; start it without');
  const owner = rootOf(files, init.pid, 'uid');
  if (owner !== 0) {
    throw cannot(
      `it runs as uid ${String(owner)}, in a user namespace with the machine’s mount tree; only root’s can be saved`,
    );
  }
  return true;
}

/** CRIU puts the old root at `tmp` in the new one, or at a directory that it makes there. */
function hasNoPlaceForCriu({ files }: Machine, init: Pid): boolean {
  if (files.existsSync(`/proc/${init}/root/tmp`)) return false;
  const mounts = parseMountinfo(readIfThere(files, `/proc/${init}/mountinfo`) ?? '');
  return mounts.find(({ mountPoint }) => mountPoint === '/')?.options.includes('ro') === true;
}

/** A mount point of a bundle's of which the machine does not know what is there. */
function mountOfNobody(machine: Machine, container: Container): string | undefined {
  const { root, disks } = foreignMounts(machine, container);
  return root === undefined ? '/' : disks.find(({ source }) => source === undefined)?.mountPoint;
}

/** Processes with their parents, parents first. */
function byAncestry({ files }: Machine, pids: readonly Pid[]): { pid: number; parent: number; since: number }[] {
  return pids
    .flatMap((pid) => {
      const stat = readStat(files, pid);
      return stat ? [{ pid, parent: stat.ppid, since: stat.starttime }] : [];
    })
    .sort((a, b) => a.since - b.since || a.pid - b.pid);
}

interface Place {
  readonly isInit: boolean;
  readonly inUserNamespace: boolean;
}

function obstacle({ files }: Machine, pid: Pid, { isInit, inUserNamespace }: Place): string | undefined {
  const status = readStatus(files, pid);
  if (status?.tracerPid) return `is traced by process ${status.tracerPid}; detach that first`;
  // Over a user namespace that root made, root has all capabilities (user_namespaces(7)).
  if (!inUserNamespace && status?.uids.some((uid) => uid !== 0) && !maySetLimits(files)) {
    return 'is not root’s, and CRIU needs CAP_SYS_RESOURCE for that, which this machine does not give';
  }
  for (const descriptor of (ifThere(() => readdirSync(`/proc/${pid}/fd`)) ?? []).slice(0, DESCRIPTORS_LIMIT)) {
    const link = readlinkIfAllowed(files, `/proc/${pid}/fd/${descriptor}`) ?? '';
    if (isInit && link.startsWith('pipe:')) {
      return 'has a command that somebody outside waits for (nsdir run); run it with -d, or wait for its end';
    }
    const found = UNSUPPORTED.find((row) => row.link.test(link));
    if (found) return `has ${found.what} open, which CRIU cannot save; have it closed first`;
  }
  return undefined;
}

/** CAP_SYS_RESOURCE, bit 24 (capabilities(7)). */
const SYS_RESOURCE = 1n << 24n;

function maySetLimits(files: Machine['files']): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)/m.exec(readIfThere(files, '/proc/self/status') ?? '')?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & SYS_RESOURCE) !== 0n;
}
