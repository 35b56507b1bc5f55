import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type FileAccess, readIfThere } from '../files.ts';

/** What passwd(5) says of a user. */
export interface User {
  readonly name: string;
  readonly uid: number;
  /** Of his primary group. */
  readonly gid: number;
}

const PASSWD = '/etc/passwd';

/** Users that are in no file are asked for by getent(1), which asks whatever nsswitch.conf(5) names. */
const GETENT_LIMIT_MS = 2_000;

const run = promisify(execFile);

/** The user of this uid; `undefined` if nobody is known by it. */
export async function userOf(files: FileAccess, uid: number): Promise<User | undefined> {
  return withUid(readIfThere(files, PASSWD) ?? '', uid) ?? withUid(await asked(uid), uid);
}

async function asked(uid: number): Promise<string> {
  try {
    const { stdout } = await run('getent', ['passwd', String(uid)], { timeout: GETENT_LIMIT_MS });
    return stdout;
  } catch {
    return ''; // status 2: there is none
  }
}

function withUid(text: string, uid: number): User | undefined {
  const fields = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name, , its]) => name !== '' && its === String(uid));
  const gid = Number(fields?.[3]);
  return fields?.[0] !== undefined && Number.isInteger(gid) ? { name: fields[0], uid, gid } : undefined;
}
