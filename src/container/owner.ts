import { FsError } from '../errno.ts';
import { readlinkIfAllowed } from '../files.ts';
import type { Pid } from '../ids.ts';
import { OWN_UID } from '../own-user.ts';
import { rootOf } from '../proc/id-map.ts';
import { namespaceInode } from '../proc/process.ts';
import { idMap } from '../proc/subordinate-ids.ts';
import { userOf } from '../proc/users.ts';
import { chainOf, pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** Whose a container's processes are, in root's tree, if they are not root's. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Lines of /proc/PID/uid_map and gid_map for a new user namespace, in which both are 0; empty in one that is there. */
  readonly uidMap: string;
  readonly gidMap: string;
}

interface Caller {
  readonly pid: Pid;
  readonly uid: number;
}

/** EPERM unless the caller owns the container, or is root; for a daemon that is not root's: unless both are its user. */
export function refuseStarter(container: Container, caller: Pick<Caller, 'uid'>, what: string): void {
  if (OWN_UID === 0 ? caller.uid === 0 || caller.uid === container.uid : isOwn(container) && isOwn(caller)) return;
  throw new FsError(
    'EPERM',
    `Cannot ${what}: owner is uid ${container.uid}, caller uid ${caller.uid}; its owner and root start it`,
  );
}

function isOwn({ uid }: { readonly uid: number }): boolean {
  return uid === OWN_UID;
}

/** Whether the processes of its init's namespaces may be another's than root's: then whose has to be asked. */
export function isOfUser(container: Container): boolean {
  return chainOf(container).some(({ found, init, kinds }) => found !== undefined || (init && kinds?.includes('user')));
}

/**
 * Whose processes a container gets that is started in `outer`; `undefined`: root's, in namespaces where root is the
 * machine's. Nothing of a user's is ever root's, and nothing of root's, or of another user's, goes into namespaces that a
 * user has power over: EPERM. What ids are mapped is what newuidmap(1) and newgidmap(1) let that user map.
 */
export async function ownerFor(
  machine: Machine,
  container: Container,
  outer: Container | undefined,
  caller: Caller,
  what: string,
): Promise<Owner | undefined> {
  const { uid } = container;
  const around = outer && isOfUser(outer) ? outer.init && rootOf(machine.files, outer.init.pid, 'uid') : 0;
  if (uid === 0 && around === 0) return undefined;
  if (outer && around !== 0 && (around !== uid || outer.found)) {
    const whose = around === undefined ? 'of nobody known' : `of uid ${around}`;
    throw new FsError(
      'EPERM',
      `Cannot ${what}: owner is uid ${uid}, and it is in "${pathOf(outer)}", which runs with a user namespace ${whose}; ` +
        'only containers of that owner start there',
    );
  }
  if (outer?.found) {
    throw new FsError('EPERM', `Cannot ${what}: it is in "${pathOf(outer)}", which was not made here; move it out`);
  }
  if (caller.uid !== 0) refusePlace(machine, outer, caller.pid, what);
  const user = await userOf(machine.files, uid);
  if (!user || user.gid === 0) {
    const why = user ? "its user's primary group is root's" : 'it has no entry in passwd(5), so its group is not known';
    throw new FsError('EPERM', `Cannot ${what}: owner is uid ${uid}, and ${why}; let another user own it (chown)`);
  }
  if (around !== 0) return { uid, gid: user.gid, uidMap: '', gidMap: '' };
  const { files } = machine;
  return {
    uid,
    gid: user.gid,
    uidMap: idMap(files, '/etc/subuid', user, uid),
    gidMap: idMap(files, '/etc/subgid', user, user.gid),
  };
}

/**
 * The mount tree is that of the machine, or of the container around: who sees another one, because he was put into a
 * chroot(2) or into namespaces of his own, would see what he was kept from. EPERM.
 */
function refusePlace({ files }: Machine, outer: Container | undefined, caller: Pid, what: string): void {
  const inits = outer ? chainOf(outer).flatMap(({ init }) => init?.pid ?? []) : [];
  const allowed = [namespaceInode(files, 'self', 'mnt'), ...inits.map((init) => namespaceInode(files, init, 'mnt'))];
  const its = caller === 0 ? undefined : namespaceInode(files, caller, 'mnt');
  const isOutside = its === undefined || !allowed.includes(its);
  if (!isOutside && readlinkIfAllowed(files, `/proc/${caller}/root`) === '/') return;
  throw new FsError(
    'EPERM',
    `Cannot ${what}: the caller has another root directory or mount namespace than the container would be made from; ` +
      'ask from outside of it',
  );
}
