import { readFileSync, rmSync } from 'node:fs';
import { parseMountinfo } from '../../src/mountinfo.ts';
import { run } from './command.ts';

const UMOUNT_LIMIT_MS = 10_000;

/** Removes the bench's directory, and first what peers left mounted in it: podman keeps its storage bound to itself. */
export async function removeScratch(directory: string): Promise<void> {
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).map(({ mountPoint }) => mountPoint);
  const left = mounts.filter((mountPoint) => mountPoint.startsWith(`${directory}/`));
  for (const mountPoint of left.reverse()) await run('umount', [mountPoint], UMOUNT_LIMIT_MS);
  rmSync(directory, { recursive: true, force: true });
}
