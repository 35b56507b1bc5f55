import { type FileAccess, readIfThere } from '../files.ts';

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
