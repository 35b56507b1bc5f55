import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { userInfo } from 'node:os';
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

/** Ids go up to here (user_namespaces(7)): the last number is none. */
const ID_END = 0xffff_ffff;

/**
 * Lines of uid_map or gid_map in which 0 is `own`, and from 1 on come the ids of the first range in `file` that can be mapped
 * beside it: what newuidmap(1) and newgidmap(1) would let this user map.
 */
export function idMap(files: FileAccess, file: string, user: { name: string; uid: number }, own: number): string {
  const range = subordinateIds(files, file, user).find(
    ({ first, count }) => first >= 0 && first + count <= ID_END && (own < first || own >= first + count),
  );
  return `0 ${own} 1\n${range ? `1 ${range.first} ${range.count}\n` : ''}`;
}

/** Where the programs are that map them; that of NixOS comes first, whose others are not setuid. */
const DIRECTORIES = ['/run/wrappers/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];

/** Kinds of ids: what the launcher calls them, which program maps them, and where ranges are. */
const KINDS = [
  { variable: 'NSDIR_UIDS', program: 'newuidmap', file: '/etc/subuid' },
  { variable: 'NSDIR_GIDS', program: 'newgidmap', file: '/etc/subgid' },
] as const;

/** What a launcher of an ordinary user is told of his subordinate ids (src/init/usernamespace.c); nothing for root's. */
export function subordinateEnvironment(files: FileAccess): NodeJS.ProcessEnv {
  const { username: name, uid } = userInfo();
  if (uid === 0) return {};
  const known = KINDS.flatMap(({ variable, program, file }) => {
    const [range] = subordinateIds(files, file, { name, uid });
    const found = DIRECTORIES.map((directory) => path.join(directory, program)).find(isExecutable);
    return range && found !== undefined ? [[variable, `${found} ${range.first} ${range.count}`]] : [];
  });
  return Object.fromEntries(known) as NodeJS.ProcessEnv;
}

function isExecutable(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
