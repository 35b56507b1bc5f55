import path from 'node:path';
import type { Mount } from '../../mountinfo.ts';
import { bad, type Check, good } from './check.ts';

/** As src/init/mount-table.c has it: what of the machine a container has in its own mount tree. */
const REMOTE = ['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'virtiofs', 'ceph', 'afs', 'zfs', 'bcachefs'];
const FRESH = ['/proc', '/sys', '/dev', '/run'];

/** What detached commands write is opened from within the container: only so can CRIU find it again. */
export const stateDirectory: Check = {
  name: 'state directory',
  required: false,
  async probe({ mountOf }, { stateDir }) {
    const mount = await mountOf(stateDir);
    if (mount === undefined || isSeenInside(mount)) return good(stateDir);
    return bad(
      `${stateDir}: ${mount.type}`,
      `nsdir run -d starts nothing: containers do not see ${mount.mountPoint}, a ${mount.type}, where the output is to go`,
      'nsdir mount --state-dir DIR, a directory on a disk',
    );
  },
};

function isSeenInside({ type, source, mountPoint }: Mount): boolean {
  if (mountPoint === '/') return true;
  if (FRESH.some((directory) => !path.relative(directory, mountPoint).startsWith('..'))) return false;
  return REMOTE.includes(type) || (source.startsWith('/dev/') && !type.startsWith('fuse'));
}
