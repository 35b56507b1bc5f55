import { FsError } from '../errno.ts';
import { readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';
import { OWN_UID } from '../own-user.ts';
import { capableIn } from '../proc/capability.ts';
import { namespaceInode } from '../proc/process.ts';
import type { Machine } from './machine.ts';

/** capabilities(7) */
const CAP_KILL = 5;

/** EPERM unless a caller of this uid may signal the process. */
export function requireMaySignal(machine: Machine, target: Pid, uid: number, what: string): void {
  if (maySignal(machine, target, uid)) return;
  throw new FsError('EPERM', `Cannot ${what}: process ${target} is not yours (uid ${uid}); ask its owner or root`);
}

/**
 * kill(2): root, or a caller whose uid is the target's real or saved one, or who has made the user namespace that it is in.
 * A process that is gone bothers nobody. A daemon of the caller's own may do what he may, and the kernel says what that is.
 */
export function maySignal({ files, kernel }: Machine, target: Pid, uid: number): boolean {
  if (uid === 0 || uid === OWN_UID) return true;
  const status = readIfThere(files, `/proc/${target}/status`);
  const [real, , saved] = (/^Uid:\s+(.*)$/m.exec(status ?? '')?.[1] ?? `${uid} ${uid} ${uid}`).split(/\s+/).map(Number);
  if (real === uid || saved === uid) return true;
  const userNamespace = namespaceInode(files, 'self', 'user') ?? 0;
  return capableIn({ kernel }, { uids: [uid, uid, uid], capEffective: 0n, userNamespace }, target, CAP_KILL);
}
