import { readFile } from 'node:fs/promises';
import { type Mount, parseMountinfo } from '../../src/mountinfo.ts';
import { type ChildResult, runBounded } from './child.ts';
import { abortConnection } from './fusectl.ts';
import { OWN_UID } from '../../src/own-user.ts';

/** The type /proc/mounts shows for our mounts: file system `fuse`, subtype `nsdir` (mount.fuse3(8)). */
const MOUNT_TYPE = 'fuse.nsdir';

/** A healthy daemon answers statfs in microseconds; one that is being started anew, in half a second. */
const ANSWER_TIMEOUT_MS = 2_000;

const UMOUNT_TIMEOUT_MS = 5_000;

/** Others than root unmount what they mounted by the setuid program of libfuse (fusermount(1)). */
const IS_ROOT = OWN_UID === 0;

/** Mounts stacked on one directory that are cleared away in one go. */
const MAX_STACKED = 64;

/** What is mounted on `directory` in this mount namespace, the one that is seen last. Touches no mounted file system. */
export async function mountsAt(directory: string): Promise<Mount[]> {
  const mounts = await mountTable();
  return mounts.filter(({ mountPoint }) => mountPoint === directory);
}

/** Mount points strictly below `directory`. */
export async function mountsBelow(directory: string): Promise<Mount[]> {
  const prefix = directory === '/' ? '/' : `${directory}/`;
  return (await mountTable()).filter(({ mountPoint }) => mountPoint.startsWith(prefix));
}

/** The mount that the absolute path `file` is in, going by mountinfo alone. */
export async function mountOf(file: string): Promise<Mount | undefined> {
  const around = (await mountTable()).filter(
    ({ mountPoint }) => mountPoint === '/' || file === mountPoint || file.startsWith(`${mountPoint}/`),
  );
  const deepest = Math.max(...around.map(({ mountPoint }) => mountPoint.length));
  return around.findLast(({ mountPoint }) => mountPoint.length === deepest);
}

export function isOurs({ type }: Mount): boolean {
  return type === MOUNT_TYPE;
}

/** Source of mounts of the other adapter (mount/native), by which they are told apart. */
export const NATIVE_SOURCE = 'nsdir-native';

export function adapterOf({ source }: Mount): 'device' | 'fuse-native' {
  return source === NATIVE_SOURCE ? 'fuse-native' : 'device';
}

/** A mount's health, asked by a child process with statfs(2), which the kernel never answers from its caches. */
export type Health = { readonly alive: true } | { readonly alive: false; readonly reason: string };

export async function healthOf(directory: string, timeoutMs: number = ANSWER_TIMEOUT_MS): Promise<Health> {
  const { status, stderr } = await runBounded('stat', ['-f', '--', directory], timeoutMs);
  return status === 0 ? { alive: true } : { alive: false, reason: stderr };
}

/** umount(8). A mount that is in use is left alone, with a status that is not 0. The caller has seen that it answers. */
export function unmount(directory: string): Promise<ChildResult> {
  const [command, ...options] = IS_ROOT ? ['umount'] : ['fusermount', '-u'];
  return runBounded(command, [...options, '--', directory], UMOUNT_TIMEOUT_MS);
}

/** Takes the topmost mount out of the tree; who holds it keeps it (umount(2), MNT_DETACH). */
export async function detach(directory: string): Promise<ChildResult> {
  const [command, ...options] = IS_ROOT ? ['umount', '--lazy', '--no-canonicalize'] : ['fusermount', '-u', '-z'];
  const result = await runBounded(command, [...options, '--', directory], UMOUNT_TIMEOUT_MS);
  // That of busybox knows no long options, and looks at no path.
  const isUnknown = IS_ROOT && result.status !== 0 && /(unrecognized|unknown|invalid) option/.test(result.stderr);
  return isUnknown ? runBounded(command, ['-l', '--', directory], UMOUNT_TIMEOUT_MS) : result;
}

/**
 * Makes an end of every mount of ours on `directory`: whoever waits for an answer gets ENOTCONN, and the directory is
 * what it was before. Throws if it cannot be detached.
 */
export async function clearAway(directory: string): Promise<void> {
  for (let round = 0; round < MAX_STACKED; round += 1) {
    const top = (await mountsAt(directory)).at(-1);
    if (top === undefined || !isOurs(top)) return;
    await abortConnection(top.device, async () => (await mountsAt(directory)).at(-1)?.device === top.device);
    const { status, stderr } = await detach(directory);
    if (status !== 0)
      throw new Error(`Cannot detach the stale mount on ${directory}: ${stderr}; umount -l ${directory}`);
  }
}

async function mountTable(): Promise<Mount[]> {
  return parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
}
