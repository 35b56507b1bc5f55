import { realpath } from 'node:fs/promises';
import fs from 'node:fs';
import path from 'node:path';
import { isOurs, mountOf, mountsAt } from '../../mount/device/mountpoint.ts';
import { delegatedCgroup } from '../cgroup/delegated.ts';
import { readIfThere } from '../files.ts';
import { DEFAULT_MOUNT_POINT, type Instance, instanceFor, NO_CGROUP, runFiles } from '../instance.ts';
import { Failure, type OptionTable, type Values } from './command.ts';
import { isMachinesRoot, OWN_UID } from '../own-user.ts';

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

/** The instance meant by DIR, or else by `NSDIR_MOUNT`, or else /namespaces, with its directories as the options say. */
export async function placeFor(
  directory: string | undefined,
  values: Values<typeof INSTANCE_OPTIONS>,
): Promise<Instance> {
  const mountPoint = await canonical(directory ?? defaultMountPoint());
  const standard = instanceFor(mountPoint, await daemonUidAt(mountPoint));
  const instance = {
    ...standard,
    runDir: path.resolve(values['run-dir'] ?? standard.runDir),
    stateDir: path.resolve(values['state-dir'] ?? standard.stateDir),
  };
  return { ...instance, cgroupName: values.cgroup ?? cgroupNameOf(instance) };
}

/** Who mounted the tree that is there: root, or we. Where there is none, it would be we. */
async function daemonUidAt(mountPoint: string): Promise<number> {
  const top = (await mountsAt(mountPoint)).at(-1);
  return top && isOurs(top) && top.superOptions.includes('user_id=0') ? 0 : OWN_UID;
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
  const absolute = await canonical(directory ?? defaultMountPoint());
  const mount = await mountOf(absolute);
  if (mount === undefined || !isOurs(mount)) {
    throw new Failure(`no tree of nsdir is mounted at ${absolute}: nsdir mount ${absolute}`);
  }
  return absolute;
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
