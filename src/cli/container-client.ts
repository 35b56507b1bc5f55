import fs from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { adapterOf, mountOf } from '../../mount/device/mountpoint.ts';
import { serialOfInode } from '../../mount/native/inode.ts';
import { FsError, systemErrno } from '../errno.ts';
import { containerName } from '../ids.ts';
import { OWN_UID } from '../own-user.ts';
import { userOf } from '../proc/users.ts';
import type { NodeId } from '../tree/node-id.ts';
import { serialOf } from '../tree/node-id.ts';
import { Failure, UsageError } from './command.ts';

/**
 * The directory of the container that a word names: `web`, `./web`, `web/job`, or its whole path below the mount point.
 * Throws UsageError for what cannot be a container's name.
 */
export function containerDirectory(mountPoint: string, word: string): string {
  const plain = word.replaceAll(/\/+/g, '/');
  const within = plain.startsWith(`${mountPoint}/`) ? plain.slice(mountPoint.length + 1) : plain;
  if (within.startsWith('/')) throw new UsageError(`${JSON.stringify(word)} is not below ${mountPoint}`);
  const names = within
    .replace(/^(\.\/)+/, '')
    .replace(/\/$/, '')
    .split('/');
  try {
    return path.join(mountPoint, ...names.map(containerName));
  } catch (error) {
    if (error instanceof FsError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** Whether it was discovered, though it may have got a name here. */
export async function isOfOthers(directory: string): Promise<boolean> {
  return (await readEntry(path.join(directory, '.origin'))) !== undefined;
}

/** The name of its owner, if that is neither who calls nor is he root; also `undefined` if there is no such container. */
export async function belongsToOther(directory: string): Promise<string | undefined> {
  if (OWN_UID === 0) return undefined;
  const { uid } = (await stat(directory).catch(() => undefined)) ?? {};
  if (uid === undefined || uid === OWN_UID) return undefined;
  return (await userOf(fs, uid))?.name ?? `uid ${uid}`;
}

/** First word of `.state`; `undefined` if it never started. */
export async function stateAt(directory: string): Promise<string | undefined> {
  return (await readEntry(path.join(directory, '.state')))?.trim();
}

/** Whether its init has ended, though processes may be left. */
export async function hasExited(directory: string): Promise<boolean> {
  return (await readEntry(path.join(directory, '.exit'))) !== undefined;
}

/** The line in `.error`: why the last refused operation was refused. */
export async function refusalAt(directory: string): Promise<string | undefined> {
  return (await readEntry(path.join(directory, '.error')))?.trim();
}

/** Its serial number, which its inode number tells. Throws Failure if there is no such container. */
export async function serialAt(directory: string): Promise<number> {
  try {
    const { ino } = await stat(directory);
    const mount = await mountOf(directory);
    return mount && adapterOf(mount) === 'fuse-native' ? serialOfInode(ino) : serialOf(ino as NodeId);
  } catch (error) {
    throw new Failure(`Cannot find ${directory}: ${systemErrno(error) ?? String(error)}; see nsdir tree`);
  }
}

/** What a control entry says, `undefined` if it is not there (any more). */
async function readEntry(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemErrno(error) === 'ENOENT') return undefined;
    throw new Failure(`Cannot read ${file}: ${systemErrno(error) ?? String(error)}`);
  }
}
