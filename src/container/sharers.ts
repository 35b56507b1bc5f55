import type { Pid } from '../ids.ts';
import type { NamespaceKind } from '../namespaces.ts';
import type { Census } from '../proc/census.ts';
import { pidView } from '../proc/pid-view.ts';
import type { Machine } from './machine.ts';

/** Processes that are named for one namespace; of the others it is said how many they are. */
export const SHARERS_LIMIT = 64;

/** Of the processes of a pid namespace, so many are asked for before none is to be seen: one may have ended. */
const ASKED_LIMIT = 3;

/** Words that say which processes share a namespace, as `reader` has their pids; who cannot be seen from there is left out. */
export function sharersFor(
  machine: Machine,
  census: Census,
  reader: Pid,
): (kind: NamespaceKind, inode: number) => string[] {
  const view = pidView(machine, reader);
  const seen = new Set<number>();
  const asked = new Map<number, number>();
  // All of a pid namespace are seen, or none.
  const isSeen = (process: Pid) => {
    const inode = census.pidNamespaceOf(process) ?? 0;
    const times = asked.get(inode) ?? 0;
    if (seen.has(inode)) return true;
    if (times >= ASKED_LIMIT || view(process) === undefined) {
      asked.set(inode, times + 1);
      return false;
    }
    seen.add(inode);
    return true;
  };
  return (kind, inode) => {
    const visible = census.tasks(kind, inode).filter(isSeen);
    const named = visible.slice(0, SHARERS_LIMIT).flatMap((process) => view(process) ?? []);
    const more = visible.length - SHARERS_LIMIT;
    return [...named.map(String), ...(more > 0 ? [`… and ${more} more`] : [])];
  };
}
