import { FsError } from '../errno.ts';
import { containerName, type Pid } from '../ids.ts';
import { now } from '../time.ts';
import { contains, type Container } from './container.ts';
import type { Machine } from './machine.ts';
import { refuseBeyond } from './quota.ts';

/** `S_ISGID` and `S_ISVTX` (inode(7)). */
const SET_GID = 0o2000;
const PERMISSIONS = 0o7777;

export interface Maker {
  readonly caller: { readonly pid: Pid; readonly uid: number; readonly gid: number };
  readonly unique: number;
  readonly resent: boolean;
}

/**
 * mkdir(2): a node, nothing runs. The kernel has checked that the caller may write in `parent` and applied the umask.
 * Owner and group are the caller's; a set-gid directory hands down its group and the bit. EEXIST, EINVAL, ENAMETOOLONG, EDQUOT.
 */
export function make(machine: Machine, parent: Container, text: string, mode: number, request: Maker): Container {
  const { store, events } = machine;
  const existing = parent.children.get(text);
  if (existing) {
    if (request.resent && store.wasDone(request.unique)) return existing;
    throw new FsError('EEXIST', `${JSON.stringify(text)} is there already`);
  }
  const name = containerName(text);
  refuseBeyond(machine, parent, request.caller.uid, 1, `make "${name}"`);
  const inherits = (parent.mode & SET_GID) !== 0;
  const serial = store.registry.nextSerial;
  const { uid } = request.caller;
  const gid = inherits ? parent.gid : request.caller.gid;
  const bits = (mode & PERMISSIONS) | (inherits ? SET_GID : 0);
  const inside = isInside(machine, parent, request) ? { inside: true } : {};
  const change = {
    op: 'make',
    serial,
    parent: parent.serial,
    name,
    mode: bits,
    uid,
    gid,
    ...inside,
    at: now(),
  } as const;
  store.commit([change], request.unique);
  const made = store.registry.get(serial);
  if (!made) throw new FsError('EIO', `container ${serial} vanished while it was made`);
  events.emit(made, 'created');
  return made;
}

/** Whether the caller is a process of the container it makes another one in. */
function isInside(machine: Machine, parent: Container, { caller }: Maker): boolean {
  if (!parent.parent) return false;
  const own = machine.containerOf(caller.pid);
  return own !== undefined && contains(parent, own);
}
