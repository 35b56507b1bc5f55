import { FsError, systemErrno } from '../errno.ts';
import { type FileAccess, ifThere, readIfThere } from '../files.ts';
import { type Pid, pid } from '../ids.ts';
import { forEachPaced } from '../pace.ts';
import { parseFlatKeyed, words } from './text.ts';

/** Makes the cgroup directory; its parent exists. EEXIST, ENOENT, EAGAIN (`cgroup.max.depth`, `.max.descendants`). */
export function createCgroup(files: FileAccess, directory: string): void {
  try {
    files.mkdirSync(directory);
  } catch (cause) {
    const errno = systemErrno(cause) ?? 'EIO';
    throw new FsError(errno, `Cannot make the cgroup ${directory}: ${errno}`, { cause });
  }
}

/** Whether a process that is not a zombie lives in the cgroup or below it; no if the cgroup is gone. */
export function isPopulated(files: FileAccess, directory: string): boolean {
  return event(files, directory, 'populated') === 1;
}

/** Whether every process of the cgroup and below it stands still. */
export function isFrozen(files: FileAccess, directory: string): boolean {
  return event(files, directory, 'frozen') === 1;
}

function event(files: FileAccess, directory: string, key: string): number | undefined {
  return parseFlatKeyed(readIfThere(files, `${directory}/cgroup.events`) ?? '').get(key);
}

/** A hostile container may make cgroups without end; walks stop here (EOVERFLOW). */
const CGROUPS_LIMIT = 100_000;

/** The cgroup and all below it, every parent before its children. Nothing if it is gone. */
export async function subtree(files: FileAccess, directory: string): Promise<string[]> {
  const found = files.existsSync(directory) ? [directory] : [];
  // The walk visits what it appends.
  await forEachPaced(found, (visited) => {
    found.push(...children(files, visited));
    if (found.length > CGROUPS_LIMIT) {
      throw new FsError('EOVERFLOW', `${directory} has more than ${CGROUPS_LIMIT} cgroups; remove some by hand`);
    }
  });
  return found;
}

/** Absolute paths of the cgroups directly below; none if it is gone. */
export function children(files: FileAccess, directory: string): string[] {
  const entries = ifThere(() => files.readdirSync(directory, { withFileTypes: true })) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${directory}/${name}`);
}

/** Pids of the cgroup and all below it, ascending, as the daemon's pid namespace numbers them. */
export async function processes(files: FileAccess, directory: string): Promise<Pid[]> {
  return idsOfSubtree(files, directory, 'cgroup.procs');
}

/** As {@link processes}, but every thread: what the pids controller counts. */
export async function threads(files: FileAccess, directory: string): Promise<Pid[]> {
  return idsOfSubtree(files, directory, 'cgroup.threads');
}

async function idsOfSubtree(files: FileAccess, directory: string, file: string): Promise<Pid[]> {
  const found = new Set<Pid>();
  await forEachPaced(await subtree(files, directory), (cgroup) => {
    for (const id of idsIn(files, `${cgroup}/${file}`)) found.add(id);
  });
  return [...found].sort((a, b) => a - b);
}

/**
 * Pids of this one cgroup, not of those below. Processes outside the daemon's pid namespace are listed by the kernel as 0
 * and skipped. Empty for a threaded cgroup, whose processes are listed by the domain above it (EOPNOTSUPP).
 */
export function ownProcesses(files: FileAccess, directory: string): Pid[] {
  return idsIn(files, `${directory}/cgroup.procs`);
}

function idsIn(files: FileAccess, path: string): Pid[] {
  return words(textOfDomain(files, path))
    .filter((word) => word !== '0')
    .map((word) => pid(Number(word)));
}

function textOfDomain(files: FileAccess, path: string): string {
  try {
    return readIfThere(files, path) ?? '';
  } catch (error) {
    if (['EOPNOTSUPP', 'ENOTSUP'].includes(systemErrno(error) ?? '')) return '';
    throw error;
  }
}
