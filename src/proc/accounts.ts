import { type FileAccess, readIfThere } from '../files.ts';
import { OWN_UID } from '../own-user.ts';
import type { Account } from '../shares.ts';

/** How long whose an id is is taken to stay so, where that is asked all the time. */
const RECENT_MS = 1_000;

const RECENT = new WeakMap<
  FileAccess,
  { readonly accountOf: (uid: number) => number | string; readonly atMs: number }
>();

/** Whose share it is that somebody takes something from; `undefined` of root, and of whom the daemon runs as. */
export function accountFor(files: FileAccess, uid: number): Account {
  if (uid === 0 || uid === OWN_UID) return undefined;
  const known = RECENT.get(files);
  if (known && performance.now() - known.atMs < RECENT_MS) return known.accountOf(uid);
  const accountOf = accountsIn(files);
  RECENT.set(files, { accountOf, atMs: performance.now() });
  return accountOf(uid);
}

/**
 * Whose an id is: that of the user whom /etc/subuid gives it as a subordinate one, else its own. What a user may have is
 * counted for all his ids together: he has tens of thousands.
 */
export function accountsIn(files: FileAccess): (uid: number) => number | string {
  const fieldsOf = (file: string) => (readIfThere(files, file) ?? '').split('\n').map((line) => line.trim().split(':'));
  const uids = new Map(fieldsOf('/etc/passwd').map(([name, , uid]) => [name, Number(uid)]));
  const ranges = fieldsOf('/etc/subuid').map(([who = '', first, count]) => ({
    account: uids.get(who) ?? (/^\d+$/.test(who) ? Number(who) : who),
    first: Number(first),
    end: Number(first) + Number(count),
  }));
  const known = new Set(uids.values());
  return (uid) => (known.has(uid) ? uid : (ranges.find(({ first, end }) => uid >= first && uid < end)?.account ?? uid));
}
