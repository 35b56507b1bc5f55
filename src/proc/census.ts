import type { FileAccess } from '../files.ts';
import { PID_MAX, type Pid, pid } from '../ids.ts';
import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { forEachPaced } from '../pace.ts';
import { isKernelThread, namespacesOf, readStat } from './process.ts';

/** How many processes share each namespace. */
export interface Census {
  /** Processes in the namespace of this kind and inode number; 0 for one nobody lives in. */
  count(kind: NamespaceKind, inode: number): number;
}

/** A pass costs some 60 µs a process; what is beyond the limit is not counted. */
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
  const counts = new Map<string, number>();
  await forEachPaced(allPids(files).slice(0, CENSUS_PROCESSES_LIMIT), (process) => {
    for (const key of namespaceKeys(files, process)) counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  return { count: (kind, inode) => counts.get(namespaceKey(kind, inode)) ?? 0 };
}

/** Every process of the daemon's pid namespace, kernel threads included. */
export function allPids(files: FileAccess): Pid[] {
  const numbers = files.readdirSync('/proc').map(Number);
  return numbers.filter((number) => number > 0 && number <= PID_MAX && Number.isInteger(number)).map(pid);
}

/** The stat line is read first: a kernel thread is then not looked at any further. */
function namespaceKeys(files: FileAccess, process: Pid): string[] {
  const stat = readStat(files, process);
  if (stat === undefined || isKernelThread(stat)) return [];
  const inodes = namespacesOf(files, process);
  return NAMESPACE_KINDS.flatMap(({ kind }) => {
    const inode = inodes[kind];
    return inode === undefined ? [] : [namespaceKey(kind, inode)];
  });
}

/** Inode numbers are unique among namespaces that live, but reused across kinds. */
function namespaceKey(kind: NamespaceKind, inode: number): string {
  return `${kind}:${inode}`;
}
