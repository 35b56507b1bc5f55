import path from 'node:path';
import { PROGRAM_INSIDE } from '../checkpoint/arguments.ts';
import { readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';
import { parseMountinfo, type Mount } from '../mountinfo.ts';
import { chainOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** What a container has mounted that is not its own: it must be there again where the container is restored. */
export interface ForeignMounts {
  /** Where the tree is mounted in it. */
  readonly tree: string | undefined;
  /** Its root directory, as the machine has it; `undefined` if the machine does not see it. */
  readonly root: string | undefined;
  readonly isRootReadOnly: boolean;
  /** Mount points inside of file systems of the machine, each with the path by which the machine has it. */
  readonly disks: readonly { readonly mountPoint: string; readonly source: string | undefined }[];
  /** Where it has cgroup v2, in a user namespace. */
  readonly cgroup: string | undefined;
}

/** Type of a mounted tree, in mountinfo. */
const TREE_TYPE = 'fuse.nsdir';

/** File systems that CRIU mounts anew, though the machine has the same. */
const SAVED_TYPES: ReadonlySet<string> = new Set(['proc', 'sysfs', 'cgroup2', 'mqueue']);

/** The same, if criu is root of a user namespace only. */
const SAVED_IN_USER_NAMESPACE: ReadonlySet<string> = new Set(['proc', 'mqueue']);

const CGROUP_TYPE = 'cgroup2';

/** As the mount namespace of a container's init has them; file systems of the container's own are none, and are saved. */
export function foreignMounts({ files }: Machine, container: Container): ForeignMounts {
  const { init, kinds = [] } = container;
  const inUserNamespace = kinds.includes('user');
  const mountsOf = (pid: Pid | 'self') => parseMountinfo(readIfThere(files, `/proc/${pid}/mountinfo`) ?? '');
  const inside = init ? mountsOf(init.pid) : [];
  const outside = mountsOf('self');
  // Devices there are bound from the container around it.
  const around = inUserNamespace ? chainOf(container).slice(0, -1) : [];
  const others = [outside, ...around.map((outer) => (outer.init ? mountsOf(outer.init.pid) : []))].flat();
  const saved = inUserNamespace ? SAVED_IN_USER_NAMESPACE : SAVED_TYPES;
  const devices = new Set(others.filter(({ type }) => !saved.has(type)).map(({ device }) => device));
  const root = inside.find(({ mountPoint }) => mountPoint === '/');
  const foreign = inside.filter(({ mountPoint }) => mountPoint !== '/' && mountPoint !== PROGRAM_INSIDE);
  return {
    tree: foreign.find(({ type }) => type === TREE_TYPE)?.mountPoint,
    root: root && sourceOf(root, outside),
    isRootReadOnly: root?.options.includes('ro') === true,
    disks: foreign
      .filter(({ type, device }) => type !== TREE_TYPE && devices.has(device) && type !== CGROUP_TYPE)
      .map((mount) => ({ mountPoint: mount.mountPoint, source: sourceOf(mount, outside) })),
    cgroup: inUserNamespace ? foreign.find(({ type }) => type === CGROUP_TYPE)?.mountPoint : undefined,
  };
}

/** The path by which the machine has what is mounted, through the mount that shows least else. */
function sourceOf({ device, root }: Mount, outside: readonly Mount[]): string | undefined {
  const [best] = outside
    .filter((mount) => mount.device === device && isWithin(root, mount.root))
    .sort((a, b) => b.root.length - a.root.length);
  return best && path.join(best.mountPoint, path.relative(best.root, root));
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`);
}
