import path from 'node:path';
import { FsError } from '../errno.ts';
import { type FileAccess, readIfThere } from '../files.ts';
import { type Mount, parseMountinfo } from '../mountinfo.ts';
import { words } from './text.ts';

/** The machine's cgroup v2 hierarchy, as this process sees it. */
export interface Hierarchy {
  /** Absolute path where it is mounted, e.g. `/sys/fs/cgroup` or `/sys/fs/cgroup/unified`. */
  readonly mountPoint: string;
  /** The cgroup that is the root of that mount; `/` but for bind mounts and foreign cgroup namespaces. */
  readonly root: string;
  /**
   * `unified`: v2 has the controllers; `hybrid`: v1 has them, v2 only groups, freezes and kills; `none`: there are no cgroups
   * for us, and directories stand for them (`NamespaceGroups`).
   */
  readonly layout: 'unified' | 'hybrid' | 'none';
  /** Controllers the root cgroup can hand out, e.g. `memory`. */
  readonly controllers: readonly string[];
  /** Whether cgroups have `cgroup.kill` (Linux 5.14) and `cgroup.freeze` (Linux 5.2). */
  readonly canKill: boolean;
  readonly canFreeze: boolean;
}

const MOUNTINFO = '/proc/self/mountinfo';
const OS_RELEASE = '/proc/sys/kernel/osrelease';

/** Throws ENOTSUP, with the remedy, if no cgroup v2 file system is mounted for writing. */
export function findHierarchy(files: FileAccess): Hierarchy {
  const mounts = parseMountinfo(readIfThere(files, MOUNTINFO) ?? '');
  const mount = bestMount(mounts);
  if (mount === undefined) {
    throw new FsError(
      'ENOTSUP',
      `Cannot find a writable cgroup v2 file system in ${MOUNTINFO}; ` +
        'mount one (mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified)',
    );
  }
  const { mountPoint, root } = mount;
  return {
    mountPoint,
    root,
    layout: mounts.some(({ type }) => type === 'cgroup') ? 'hybrid' : 'unified',
    controllers: words(readIfThere(files, `${mountPoint}/cgroup.controllers`) ?? ''),
    canKill: hasKnob(files, mountPoint, 'cgroup.kill', [5, 14]),
    canFreeze: hasKnob(files, mountPoint, 'cgroup.freeze', [5, 2]),
  };
}

/** What /proc/PID/cgroup says for a process in `directory`, an absolute path below the hierarchy's mount point. */
export function pathInHierarchy({ mountPoint, root }: Hierarchy, directory: string): string {
  return path.join(root, path.relative(mountPoint, directory));
}

/** The inverse of {@link pathInHierarchy}; `undefined` if the cgroup is not below this mount. */
export function directoryOf({ mountPoint, root }: Hierarchy, unified: string): string | undefined {
  const relative = path.relative(root, unified);
  return relative.startsWith('..') ? undefined : path.join(mountPoint, relative);
}

/** The whole hierarchy rather than a bind mount of a part, and of those the first, which is the system's own. */
function bestMount(mounts: readonly Mount[]): Mount | undefined {
  const usable = mounts.filter(({ type, options }) => type === 'cgroup2' && options.includes('rw'));
  return usable.find(({ root }) => root === '/') ?? usable[0];
}

/** The root cgroup has neither knob, so ask any other cgroup, and the kernel's version where there is none. */
function hasKnob(files: FileAccess, mountPoint: string, knob: string, since: readonly [number, number]): boolean {
  const any = files.readdirSync(mountPoint, { withFileTypes: true }).find((entry) => entry.isDirectory());
  if (any !== undefined) return files.existsSync(`${mountPoint}/${any.name}/${knob}`);
  const [major = 0, minor = 0] = (readIfThere(files, OS_RELEASE) ?? '').split('.').map((part) => Number.parseInt(part));
  return major > since[0] || (major === since[0] && minor >= since[1]);
}
