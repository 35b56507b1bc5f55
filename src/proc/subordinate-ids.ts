import { type FileAccess, readIfThere } from '../files.ts';

/** Ids that somebody may use besides his own (subuid(5)). */
export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** The ranges that `file`, /etc/subuid or /etc/subgid, gives a user, by name or number. */
export function subordinateIds(files: FileAccess, file: string, user: { name: string; uid: number }): IdRange[] {
  const lines = (readIfThere(files, file) ?? '').split('\n').map((line) => line.split(':'));
  return lines
    .filter(([who]) => who === user.name || who === String(user.uid))
    .map(([, first, count]) => ({ first: Number(first), count: Number(count) }))
    .filter(({ first, count }) => Number.isInteger(first) && Number.isInteger(count) && count > 0);
}
