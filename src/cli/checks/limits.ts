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
    try {
      ({ controllers } = findHierarchy(files));
    } catch {
      return good('no cgroup v2'); // Which is another check's to complain of.
    }
    const lacking = LIMITING.filter((name) => !controllers.includes(name));
    if (lacking.length === 0) return good(LIMITING.join(' '));
    return bad(
      `without ${lacking.join(', ')}`,
      `containers cannot be limited: cgroup v2 does not have ${lacking.join(', ')}`,
      'boot with systemd.unified_cgroup_hierarchy=1, without cgroup v1',
    );
  },
};
