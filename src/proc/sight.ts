import { readIfThere, type FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { monotonicSec } from '../time.ts';
import type { ProcStat, ProcStatus } from './parse.ts';
import { isZombie, namespaceInode, readStat, readStatus } from './process.ts';
import { readLinks, type ProcessReading } from './scan.ts';

/** Inode numbers of namespaces that it is in itself; `undefined` where one may not look. */
interface Credited {
  readonly status: ProcStatus;
  readonly userNamespace: number | undefined;
  readonly pidNamespace: number | undefined;
}

/**
 * Of a thread that waits for us, so that nothing need tell it from a later one with its pid. It stays as it is, so what few
 * ask for is read when it is first asked for.
 */
export interface CallerSight extends Credited {
  readonly mountNamespace: number | undefined;
  /** Text of /proc/PID/cgroup; `undefined` if it is gone: it was killed. */
  readonly cgroups: string | undefined;
  /** See `readLinks`; `undefined` where the daemon may not look. */
  readonly links: readonly string[] | undefined;
}

/** A process at one moment: all that decisions about it are made of, read once. */
export interface Sight extends Credited {
  readonly stat: ProcStat;
  /** Text of /proc/PID/cgroup. */
  readonly cgroups: string;
  /** See `readLinks`; `undefined` where the daemon may not look. */
  readonly links: readonly string[] | undefined;
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
  return status && new Caller(files, pid, status);
}

class Caller implements CallerSight {
  readonly status: ProcStatus;
  readonly userNamespace: number | undefined;
  readonly pidNamespace: number | undefined;
  readonly mountNamespace: number | undefined;
  readonly #files: FileAccess;
  readonly #pid: Pid;
  #cgroups: string | undefined;
  #links: readonly string[] | undefined;

  constructor(files: FileAccess, pid: Pid, status: ProcStatus) {
    this.#files = files;
    this.#pid = pid;
    this.status = status;
    this.userNamespace = namespaceInode(files, pid, 'user');
    this.pidNamespace = namespaceInode(files, pid, 'pid');
    this.mountNamespace = namespaceInode(files, pid, 'mnt');
  }

  get cgroups(): string | undefined {
    return (this.#cgroups ??= readIfThere(this.#files, `/proc/${this.#pid}/cgroup`));
  }

  get links(): readonly string[] | undefined {
    return (this.#links ??= readLinks(this.#files, this.#pid));
  }
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
