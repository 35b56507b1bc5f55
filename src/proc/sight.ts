import { readIfThere, type FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { monotonicSec } from '../time.ts';
import type { ProcStat, ProcStatus } from './parse.ts';
import { isZombie, namespaceInode, readStat, readStatus } from './process.ts';
import { readLinks, type ProcessReading } from './scan.ts';

/** Of a thread that waits for us, so that nothing need tell it from a later one with its pid. */
export interface CallerSight {
  readonly status: ProcStatus;
  /** Text of /proc/PID/cgroup. */
  readonly cgroups: string;
  /** See `readLinks`; `undefined` where the daemon may not look. Of a caller, who stays as he is, read when first asked for. */
  readonly links: readonly string[] | undefined;
  /** Inode number of the user namespace it is in; likewise. */
  readonly userNamespace: number | undefined;
  /** Inode number of the pid namespace it is in itself. */
  readonly pidNamespace: number | undefined;
}

/** A process at one moment: all that decisions about it are made of, read once. */
export interface Sight extends CallerSight {
  readonly stat: ProcStat;
  /** CLOCK_MONOTONIC before the first was read. */
  readonly sinceSec: number;
}

/** Some 70 µs, 110 µs after a pause. `undefined` if the process is gone. `pid` may be a thread's id. */
export function sightOf(files: FileAccess, pid: Pid): Sight | undefined {
  const sinceSec = monotonicSec();
  const stat = readStat(files, pid);
  const status = stat && readStatus(files, pid);
  const cgroups = status && readIfThere(files, `/proc/${pid}/cgroup`);
  if (!status || cgroups === undefined) return undefined;
  const pidNamespace = namespaceInode(files, pid, 'pid');
  const links = readLinks(files, pid);
  return { stat, sinceSec, status, cgroups, links, userNamespace: namespaceIn({ links }, 'user'), pidNamespace };
}

/** `undefined` if it is gone all the same: it was killed. */
export function callerSight(files: FileAccess, pid: Pid): CallerSight | undefined {
  const status = readStatus(files, pid);
  const cgroups = status && readIfThere(files, `/proc/${pid}/cgroup`);
  if (!status || cgroups === undefined) return undefined;
  const [pidNamespace, userNamespace] = [namespaceInode(files, pid, 'pid'), namespaceInode(files, pid, 'user')];
  let read: Pick<CallerSight, 'links'> | undefined;
  return {
    ...{ status, cgroups, pidNamespace, userNamespace },
    get links() {
      read ??= { links: readLinks(files, pid) };
      return read.links;
    },
  };
}

/** Inode number of the namespace of this kind; `undefined` if it has none yet, or may not be looked at. */
export function namespaceIn({ links }: Pick<Sight, 'links'>, kind: NamespaceKind): number | undefined {
  const inode = links?.[INDEX[kind]] ?? '';
  return inode === '' ? undefined : Number(inode);
}

/** As `readProcess` has it, of one that is no thread. */
export function processIn({ stat, status: { tgid } }: Sight): ProcessReading {
  return { pid: tgid as Pid, startTime: stat.starttime, ppid: stat.ppid as Pid, zombie: isZombie(stat) };
}

const INDEX = Object.fromEntries(NAMESPACE_KINDS.map(({ kind }, index) => [kind, index])) as Record<
  NamespaceKind,
  number
>;
