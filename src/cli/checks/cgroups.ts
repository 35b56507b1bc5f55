import { findHierarchy } from '../../cgroup/hierarchy.ts';
import { bad, type Check, good, type Outcome } from './check.ts';

const REMEDY = 'mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified';

export const cgroups: Check = {
  name: 'cgroup v2',
  required: true,
  probe({ files }): Outcome {
    try {
      const { mountPoint, layout, controllers } = findHierarchy(files);
      return good(`${layout} at ${mountPoint}, controllers: ${controllers.join(' ') || 'none'}`);
    } catch (error) {
      return bad('none', error instanceof Error ? error.message.replace(/; mount one .*$/, '') : String(error), REMEDY);
    }
  },
};
