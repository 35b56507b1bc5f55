import { FsError } from '../errno.ts';
import { OWN_UID } from '../own-user.ts';
import { accountsIn } from '../proc/accounts.ts';
import { chainOf, subtree, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** Starts of one user's containers at once: the launcher has room for `STARTING_MAX` of all, and one may hang for a while. */
const STARTS_PER_UID = 16;

const STARTING = new WeakMap<Machine, Map<number, number>>();

/** Runs `body`, a start for a user; EDQUOT while too many of his are under way. */
export async function counted<T>(machine: Machine, uid: number, what: string, body: () => Promise<T>): Promise<T> {
  const starting = STARTING.get(machine) ?? new Map<number, number>();
  STARTING.set(machine, starting);
  const its = starting.get(uid) ?? 0;
  if (its >= STARTS_PER_UID)
    throw new FsError('EDQUOT', `Cannot ${what}: uid ${uid} has ${its} starts under way; wait`);
  starting.set(uid, its + 1);
  try {
    return await body();
  } finally {
    const left = (starting.get(uid) ?? 1) - 1;
    if (left > 0) starting.set(uid, left);
    else starting.delete(uid);
  }
}

/** EDQUOT if a caller but root would have one container too many, or one that is too deep. */
export function refuseBeyond(machine: Machine, parent: Container, uid: number, height: number, what: string): void {
  if (uid === OWN_UID || uid === 0) return;
  refuseDeeper(machine, parent, uid, height, what);
  const { containers } = machine.userLimits;
  const { owned } = machine.store.registry;
  // So few that it does not matter whose they are.
  if ([...owned.values()].reduce((sum, count) => sum + count, 0) < containers) return;
  const accountOf = accountsIn(machine.files);
  const account = accountOf(uid);
  let its = 0;
  for (const [owner, count] of owned) if (accountOf(owner) === account) its += count;
  if (its < containers) return;
  throw new FsError('EDQUOT', `Cannot ${what}: uid ${uid} has ${its} containers already; remove some`);
}

/** EDQUOT for a caller but root, if what is `height` levels high would be too deep in `parent`. */
export function refuseDeeper(
  { userLimits }: Machine,
  parent: Container,
  uid: number,
  height: number,
  what: string,
): void {
  if (uid === OWN_UID || uid === 0 || chainOf(parent).length + height <= userLimits.depth) return;
  throw new FsError('EDQUOT', `Cannot ${what}: a user's containers may be ${userLimits.depth} levels deep; nest less`);
}

/** Levels of the container and what is in it. */
export function heightOf(container: Container): number {
  const above = chainOf(container).length - 1;
  let height = 1;
  for (const inner of subtree(container)) height = Math.max(height, chainOf(inner).length - above);
  return height;
}
