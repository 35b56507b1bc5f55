import type { FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { capableIn } from './capability.ts';
import type { ProcStatus } from './parse.ts';
import { namespaceInode, readStatus } from './process.ts';

/** What permissions are decided by (credentials(7)). Ids are as the daemon's user namespace has them. */
export interface Credentials {
  readonly pid: Pid;
  readonly tgid: number;
  /** Real, effective, saved, file system. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  readonly capPermitted: bigint;
  readonly capEffective: bigint;
  /** Inode number of the user namespace that the capabilities are of. */
  readonly userNamespace: number;
}

export interface Asked {
  readonly files: FileAccess;
  readonly kernel: Kernel;
}

/** `undefined` if the process is gone or may not be looked at. `pid` may be a thread's id. */
export function credentialsOf({ files }: Pick<Asked, 'files'>, pid: Pid): Credentials | undefined {
  const status = readStatus(files, pid);
  return status && credentialsFrom(pid, status, namespaceInode(files, pid, 'user'));
}

/** Of what was read just now. */
export function credentialsFrom(
  pid: Pid,
  status: ProcStatus,
  userNamespace: number | undefined,
): Credentials | undefined {
  if (userNamespace === undefined) return undefined;
  const { tgid, uids, gids, groups, capPermitted, capEffective } = status;
  return { pid, tgid, uids, gids, groups, capPermitted, capEffective, userNamespace };
}

/** capabilities(7) */
const CAP_DAC_OVERRIDE = 1;
const CAP_DAC_READ_SEARCH = 2;

/** Whether the caller may search a directory of this owner and mode (path_resolution(7), by the file-system ids). */
export function maySearch(
  asked: Asked,
  caller: Credentials,
  directory: { readonly uid: number; readonly gid: number; readonly mode: number },
): boolean {
  const [, , , uid = -1] = caller.uids;
  const [, , , gid = -1] = caller.gids;
  const isMember = gid === directory.gid || caller.groups.includes(directory.gid);
  const shift = uid === directory.uid ? 6 : isMember ? 3 : 0;
  if (((directory.mode >> shift) & 1) !== 0) return true;
  return [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH].some((capability) => capableIn(asked, caller, 'self', capability));
}
