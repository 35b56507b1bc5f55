import { access, open, type FileHandle } from 'node:fs/promises';
import { systemErrno } from '../../src/errno.ts';
import { runBounded } from './child.ts';

/** Where the kernel keeps a directory for every FUSE connection, if the control file system is mounted (fuse.rst). */
const CONNECTIONS = '/sys/fs/fuse/connections';

const MOUNT_TIMEOUT_MS = 5_000;

/**
 * Ends a FUSE connection whatever its daemon does: waiting requests get ECONNABORTED, later ones ENOTCONN.
 * `device` is the mount's `major:minor` from mountinfo, which is given to another mount, anybody's, when this one is gone.
 * So `isStillThere` is asked when the connection by that number is held: whether the mount that is meant is there now.
 * Resolves to false if there is no such connection (any more), or the control file system cannot be had.
 */
export async function abortConnection(
  device: string,
  isStillThere: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const directory = `${CONNECTIONS}/${connectionName(device)}`;
  if (!(await exists(directory)))
    await runBounded('mount', ['-t', 'fusectl', 'fusectl', CONNECTIONS], MOUNT_TIMEOUT_MS);
  let abort: FileHandle | undefined;
  try {
    abort = await open(`${directory}/abort`, 'w');
    if (!(await isStillThere())) return false;
    await abort.writeFile('1');
    return true;
  } catch (error) {
    if (systemErrno(error) === 'ENOENT') return false;
    throw error;
  } finally {
    await abort?.close();
  }
}

/** The connection is named by the kernel's `dev_t`, 12 bits of major above 20 of minor (linux/kdev_t.h). */
export function connectionName(device: string): string {
  const [major = 0, minor = 0] = device.split(':').map(Number);
  return String(major * 2 ** 20 + minor);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
