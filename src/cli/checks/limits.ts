import { readIfThere, type FileAccess } from '../../files.ts';
import { words } from '../../cgroup/text.ts';
import { findHierarchy } from '../../cgroup/hierarchy.ts';
import { bad, type Check, good } from './check.ts';

/** Controllers of cgroup v2 by which a container is held to a limit (cgroup-v2.rst). */
const LIMITING = ['memory', 'cpu', 'pids'] as const;

/** On a hybrid machine these are where containers of ours are not: in the hierarchies of v1. */
export const limits: Check = {
  name: 'limits',
  required: false,
  probe({ files }) {
    let controllers: readonly string[];
    let mountPoint: string;
    try {
      ({ controllers, mountPoint } = findHierarchy(files));
    } catch {
      return good('no cgroup v2'); // Which is another check's to complain of.
    }
    const lacking = LIMITING.filter((name) => !controllers.includes(name));
    if (lacking.length === 0 && isHeld(files, mountPoint, controllers)) {
      return bad(
        'not handed out',
        `containers cannot be limited: there are processes in ${mountPoint} itself, the cgroup of a container`,
        `mkdir ${mountPoint}/init && for each in $(cat ${mountPoint}/cgroup.procs); do echo $each >${mountPoint}/init/cgroup.procs; done`,
      );
    }
    if (lacking.length === 0) return good(LIMITING.join(' '));
    return bad(
      `without ${lacking.join(', ')}`,
      `containers cannot be limited: cgroup v2 does not have ${lacking.join(', ')}`,
      'boot with systemd.unified_cgroup_hierarchy=1, without cgroup v1',
    );
  },
};

/**
 * Whether controllers cannot be handed on. In a container the root of what is seen is a cgroup like others (it has a
 * `cgroup.type`): one with processes in it may not hand controllers to children (cgroup-v2.rst, "No Internal Process Constraint").
 */
function isHeld(files: FileAccess, mountPoint: string, controllers: readonly string[]): boolean {
  const at = (name: string) => readIfThere(files, `${mountPoint}/${name}`);
  const given = words(at('cgroup.subtree_control') ?? '');
  if (at('cgroup.type') === undefined || LIMITING.every((name) => given.includes(name))) return false;
  return controllers.length > 0 && (at('cgroup.procs') ?? '') !== '';
}
