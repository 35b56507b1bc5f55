import type { FileAccess } from '../files.ts';
import { PID_MAX, type Pid, pid } from '../ids.ts';
import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { forEachPaced } from '../pace.ts';
import { isKernelThread, namespaceInode, namespacesOf, readStat } from './process.ts';

/** Which processes share each namespace. */
export interface Census {
  /** Processes in the namespace of this kind and inode number, in order; none for one nobody lives in. */
  tasks(kind: NamespaceKind, inode: number): readonly Pid[];
  /** Inode number of the pid namespace that it is in itself. */
  pidNamespaceOf(process: Pid): number | undefined;
}

/** A pass costs some 60 µs a process; what is beyond the limit is left out. */
export const CENSUS_PROCESSES_LIMIT = 50_000;

/** An answer is served again for this long, and for ten times as long as it took: at most a tenth of the time is spent. */
const TTL_MIN_MS = 1_000;
const TTL_DURATIONS = 10;

/**
 * A source of censuses: the last one while it is fresh, else a new pass over /proc in small slices. Callers that come during
 * a pass share it. Kernel threads are not counted.
 */
export function createCensusTaker(files: FileAccess): () => Promise<Census> {
  let current: Promise<Census> | undefined;
  let freshUntil = 0;
  const pass = async () => {
    const start = performance.now();
    const census = await takeCensus(files);
    const end = performance.now();
    freshUntil = end + Math.max(TTL_MIN_MS, TTL_DURATIONS * (end - start));
    return census;
  };
  return () => {
    if (current !== undefined && performance.now() < freshUntil) return current;
    freshUntil = Number.POSITIVE_INFINITY;
    const started = pass();
    current = started;
    started.catch(() => {
      current = undefined;
    });
    return started;
  };
}

async function takeCensus(files: FileAccess): Promise<Census> {
  const tasks = new Map<string, Pid[]>();
  const pidNamespaces = new Map<Pid, number>();
  await forEachPaced(allPids(files).slice(0, CENSUS_PROCESSES_LIMIT), (process) => {
    const inodes = inodesOf(files, process);
    // Its children's may be another one.
    const own = inodes.pid === undefined ? undefined : namespaceInode(files, process, 'pid');
    if (own !== undefined) pidNamespaces.set(process, own);
    for (const { kind } of NAMESPACE_KINDS) {
      const inode = inodes[kind];
      if (inode === undefined) continue;
      const key = namespaceKey(kind, inode);
      const known = tasks.get(key);
      if (known) known.push(process);
      else tasks.set(key, [process]);
    }
  });
  return {
    tasks: (kind, inode) => tasks.get(namespaceKey(kind, inode)) ?? [],
    pidNamespaceOf: (process) => pidNamespaces.get(process),
  };
}

/** Every process of the daemon's pid namespace, kernel threads included; a second where there are tens of thousands. */
export function allPids(files: FileAccess): Pid[] {
  return pidsAmong(files.readdirSync('/proc'));
}

/** The same, while others go on. Who came or went meanwhile may be among them or not. */
export async function allPidsMeanwhile(files: FileAccess): Promise<Pid[]> {
  return pidsAmong(await files.promises.readdir('/proc'));
}

function pidsAmong(names: readonly string[]): Pid[] {
  const numbers = names.map(Number);
  return numbers.filter((number) => number > 0 && number <= PID_MAX && Number.isInteger(number)).map(pid);
}

/** The stat line is read first: a kernel thread is then not looked at any further. */
function inodesOf(files: FileAccess, process: Pid): Partial<Record<NamespaceKind, number>> {
  const stat = readStat(files, process);
  return stat === undefined || isKernelThread(stat) ? {} : namespacesOf(files, process);
}

/** Inode numbers are unique among namespaces that live, but reused across kinds. */
function namespaceKey(kind: NamespaceKind, inode: number): string {
  return `${kind}:${inode}`;
}
