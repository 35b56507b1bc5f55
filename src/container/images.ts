import { mkdir, rm, rmdir, statfs, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { FsError, systemErrno } from '../errno.ts';
import { parseMountinfo } from '../mountinfo.ts';

/** A directory with the images of one container, and one for what criu says while it works on them. */
export interface ImagePlace {
  readonly dir: string;
  readonly images: string;
  readonly work: string;
}

export function imagePlace(dir: string): ImagePlace {
  return { dir, images: path.join(dir, 'images'), work: path.join(dir, 'work') };
}

/** Images are memory: for root only. Throws the file system's errno, ENOSPC above all. */
export async function makeImagePlace(dir: string): Promise<ImagePlace> {
  const place = imagePlace(dir);
  try {
    for (const made of [place.images, place.work]) await mkdir(made, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const errno = systemErrno(cause) ?? 'EIO';
    throw new FsError(errno, `Cannot make ${dir}: ${errno}`, { cause });
  }
  return place;
}

/** What there is to be room for, at the least; with less, the disk is full. */
const ROOM_BYTES = 65_536;
/** With as much free there is room for that, whatever the file system needs for itself. */
const AMPLE_BYTES = 16 * ROOM_BYTES;

/** Whether nothing more can be written there. */
export async function isFull({ work }: ImagePlace): Promise<boolean> {
  const probe = path.join(work, 'room');
  try {
    const { bavail, bsize } = await statfs(work);
    if (bavail * bsize >= AMPLE_BYTES) return false;
    await writeFile(probe, Buffer.alloc(ROOM_BYTES));
    return false;
  } catch (error) {
    return systemErrno(error) === 'ENOSPC';
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

/** Removes it with all that is in it, unless something is mounted below: that would be removed too. */
export async function removeImages(dir: string): Promise<void> {
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  const below = mounts.find(({ mountPoint }) => mountPoint === dir || mountPoint.startsWith(`${dir}/`));
  if (below) throw new FsError('EBUSY', `Cannot remove ${dir}: ${below.mountPoint} is mounted; umount it`);
  await rm(dir, { recursive: true, force: true });
  // The container's directory of such, if this was the last.
  await rmdir(path.dirname(dir)).catch(() => undefined);
}
