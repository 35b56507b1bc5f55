import { realpath, statfs } from 'node:fs/promises';
import fs from 'node:fs';
import path from 'node:path';
import { healthOf, isOurs, mountOf, mountsAt } from '../../mount/device/mountpoint.ts';
import { delegatedCgroup } from '../cgroup/delegated.ts';
import { systemErrno } from '../errno.ts';
import { readIfThere } from '../files.ts';
import { DEFAULT_MOUNT_POINT, type Instance, instanceFor, NO_CGROUP, runFiles } from '../instance.ts';
import type { Mount } from '../mountinfo.ts';
import { userOf } from '../proc/users.ts';
import { Failure, type OptionTable, UsageError, type Values } from './command.ts';
import { isMachinesRoot, OWN_UID } from '../own-user.ts';
import { notedPlaces } from './places.ts';

/** Options of every command that needs the daemon's directories. */
export const PLACE_OPTIONS = {
  'run-dir': {
    type: 'string',
    argument: 'DIR',
    summary: 'journal, pid files and log (default: /run/nsdir/ID; of a user, in $XDG_RUNTIME_DIR)',
  },
  'state-dir': {
    type: 'string',
    argument: 'DIR',
    summary: 'output of detached commands (default: /var/lib/nsdir/ID; of a user, in ~/.local/state)',
  },
} as const satisfies OptionTable;

/** Options of the commands that begin and end an instance. */
export const INSTANCE_OPTIONS = {
  ...PLACE_OPTIONS,
  cgroup: { type: 'string', argument: 'NAME', summary: "name of the daemon's cgroup (default: nsdir-ID)" },
} as const satisfies OptionTable;

/** Shown by `--mount` of the commands whose words name a container. */
export const MOUNT_OPTION = {
  mount: {
    type: 'string',
    argument: 'DIR',
    summary: 'where the tree is mounted (default: $NSDIR_MOUNT or /namespaces)',
  },
} as const satisfies OptionTable;

/** The file's text, if it is there and ours to read: `nsdir mount` then says what is wrong with its directory. */
function noted(file: string): string | undefined {
  try {
    return readIfThere(fs, file);
  } catch {
    return undefined;
  }
}

/**
 * The instance meant by DIR, or else by `NSDIR_MOUNT`, or else /namespaces, with its directories as the options say, as they
 * were noted when it was mounted, or as they usually are.
 */
export async function placeFor(
  directory: string | undefined,
  values: Values<typeof INSTANCE_OPTIONS>,
): Promise<Instance> {
  refuseEmpty(directory);
  const mountPoint = await canonical(directory ?? defaultMountPoint());
  const standard = instanceFor(mountPoint, await daemonUidAt(mountPoint));
  const [runDir, stateDir] = [values['run-dir'], values['state-dir']].map((given) => given && path.resolve(given));
  // With another run directory it is another instance, of which nothing was noted.
  const places = notedPlaces(standard);
  const noted = runDir === undefined || runDir === places?.runDir ? places : undefined;
  const usual = { ...standard, ...noted };
  const instance = { ...usual, runDir: runDir ?? usual.runDir, stateDir: stateDir ?? usual.stateDir };
  return { ...instance, cgroupName: values.cgroup ?? noted?.cgroupName ?? cgroupNameOf(instance) };
}

/** Who mounted the tree that is there: root, or we. Where there is none, it would be we. */
async function daemonUidAt(mountPoint: string): Promise<number> {
  const top = (await mountsAt(mountPoint)).at(-1);
  return top && isOurs(top) && mounterOf(top) === 0 ? 0 : OWN_UID;
}

/** The uid that mounted a tree: option `user_id` of a FUSE mount (fuse.rst). */
function mounterOf({ superOptions }: Mount): number {
  return Number(superOptions.map((option) => /^user_id=(\d+)$/.exec(option)?.[1]).find((uid) => uid !== undefined));
}

/** The name of who mounted the tree that is at the mount point, if that is neither we nor are we root. */
export async function mountedByOther({ mountPoint }: Instance): Promise<string | undefined> {
  const top = (await mountsAt(mountPoint)).at(-1);
  if (OWN_UID === 0 || top === undefined || !isOurs(top) || mounterOf(top) === OWN_UID) return undefined;
  const uid = mounterOf(top);
  return (await userOf(fs, uid))?.name ?? `uid ${uid}`;
}

/** What a script has for a variable that is not set: not the directory that it happens to be in. */
function refuseEmpty(directory: string | undefined): void {
  if (directory === '') throw new UsageError('the directory is named by nothing: ""');
}

/** That of the machine's root is by the mount point alone; another user's is in the cgroup that the tree was mounted from, if he may. */
function cgroupNameOf(instance: Instance): string {
  if (isMachinesRoot(fs)) return instance.cgroupName;
  const known = noted(runFiles(instance).cgroup);
  if (known !== undefined) return known.trim();
  const own = delegatedCgroup(fs);
  return own === undefined ? NO_CGROUP : path.join(own, instance.cgroupName);
}

/**
 * The directory as an absolute path, once it is sure that it is in a tree of nsdir: making containers in a plain
 * directory would make plain directories.
 */
export async function treeAt(directory: string | undefined): Promise<string> {
  refuseEmpty(directory);
  const absolute = await canonical(directory ?? defaultMountPoint());
  const mount = await mountOf(absolute);
  if (mount === undefined || !isOurs(mount)) {
    throw new Failure(`no tree of nsdir is mounted at ${absolute}: nsdir mount ${absolute}`);
  }
  await refuseDead(mount);
  return absolute;
}

/** As `treeAt`, but not for longer than two seconds, if a daemon does not answer: who looks does not want to wait. */
export async function answeringTreeAt(directory: string | undefined): Promise<string> {
  refuseEmpty(directory);
  const mount = await mountOf(path.resolve(directory ?? defaultMountPoint()));
  if (mount !== undefined && isOurs(mount)) {
    const health = await healthOf(mount.mountPoint);
    if (!health.alive) {
      const { mountPoint } = mount;
      throw new Failure(`${mountPoint} does not answer (${health.reason}): nsdir mount ${mountPoint} takes over`);
    }
  }
  return treeAt(directory);
}

/** statfs(2) is never answered from caches of the kernel. */
async function refuseDead({ mountPoint }: Mount): Promise<void> {
  try {
    await statfs(mountPoint);
  } catch (error) {
    const errno = systemErrno(error);
    if (errno !== 'ENOTCONN' && errno !== 'ECONNABORTED') return; // Who uses it says what is wrong.
    throw new Failure(`the daemon of ${mountPoint} is gone (${errno}): nsdir mount ${mountPoint}`);
  }
}

function defaultMountPoint(): string {
  const named = process.env['NSDIR_MOUNT'];
  return named === undefined || named === '' ? DEFAULT_MOUNT_POINT : named;
}

/**
 * The path as mountinfo has it: absolute, without symbolic links. What is a mount point already is left as it is, since
 * a dead one must not be touched; what is to be made yet is resolved as far as it exists.
 */
async function canonical(directory: string): Promise<string> {
  const absolute = path.resolve(directory);
  if ((await mountsAt(absolute)).length > 0) return absolute;
  return (
    (await resolved(absolute)) ??
    path.join((await resolved(path.dirname(absolute))) ?? path.dirname(absolute), path.basename(absolute))
  );
}

async function resolved(directory: string): Promise<string | undefined> {
  try {
    return await realpath(directory);
  } catch {
    return undefined;
  }
}
