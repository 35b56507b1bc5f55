import { partsOf, type SetKey } from './key.ts';

/** A set of namespaces that may have made another one. */
export interface Candidate {
  readonly key: SetKey;
  /** Path of its first process's cgroup, of each hierarchy; empty for one that does not tell who it is. */
  readonly cgroups: readonly string[];
  /** Clock ticks since boot, of its first process. */
  readonly startTime: number;
}

/**
 * The likeliest maker of an orphan, whose parent is gone: of the older sets that have no namespace of their own where the
 * orphan has the machine's, the one that shares most of its others with it; then the one whose cgroup is the longest
 * beginning of the orphan's. `undefined` if none shares anything: the machine itself. The caller leaves out sets without a
 * process in the pid namespace that the orphan was handed over in.
 */
export function likelyMaker<C extends Candidate>(
  orphan: Candidate,
  candidates: Iterable<C>,
  machine: SetKey,
): C | undefined {
  let best: { readonly candidate: C; readonly shared: number; readonly prefix: number } | undefined;
  for (const candidate of candidates) {
    if (candidate.key === orphan.key || candidate.startTime > orphan.startTime) continue;
    const shared = sharedKinds(orphan.key, candidate.key, machine);
    if (shared === undefined) continue;
    const prefix = Math.max(...candidate.cgroups.map((path, index) => prefixLength(path, orphan.cgroups[index] ?? '')));
    if (shared === 0 && prefix <= 0) continue;
    if (!best || shared > best.shared || (shared === best.shared && prefix > best.prefix)) {
      best = { candidate, shared, prefix };
    }
  }
  return best?.candidate;
}

/** How many namespaces that are not the machine's both have; `undefined` if the candidate cannot have made it. */
function sharedKinds(orphan: SetKey, candidate: SetKey, machine: SetKey): number | undefined {
  const [its, others, machines] = [partsOf(orphan), partsOf(candidate), partsOf(machine)];
  let shared = 0;
  for (const [index, part] of others.entries()) {
    if (part === machines[index]) continue;
    if (its[index] === machines[index]) return undefined;
    if (its[index] === part) shared += 1;
  }
  return shared;
}

/** Length of `path` if it is `inner` or above it, and not the root of all. */
function prefixLength(path: string, inner: string): number {
  if (path === '/' || path === '') return 0;
  return inner === path || inner.startsWith(`${path}/`) ? path.length : 0;
}

/** The paths in a text of /proc/PID/cgroup (cgroups(7)), in its order. */
export function cgroupPaths(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(':').slice(2).join(':'));
}
