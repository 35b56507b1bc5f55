import { accounting, machineAccounting, processAccounting, statText } from '../../cgroup/accounting.ts';
import { processes } from '../../cgroup/cgroup.ts';
import { isLive } from '../../container/container.ts';
import { ownCgroup } from '../../container/kill-found.ts';
import { ROOT_SERIAL } from '../../ids.ts';
import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** Accounting of the whole subtree, flat `key value` lines as in cgroup v2 (cgroup-v2.rst). */
export const stat: ControlEntry = {
  entry: 7,
  name: '.stat',
  mode: () => S_IFREG | 0o444,
  present: isLive,
  produce: async (machine, container) => {
    const { files, hierarchy, cgroupOf } = machine;
    if (container.serial === ROOT_SERIAL) return { text: statText(machineAccounting(files, hierarchy.mountPoint)) };
    if (hierarchy.layout === 'none') {
      const pids = await processes(files, cgroupOf(container));
      return { text: statText(await processAccounting(files, pids)) };
    }
    if (!container.found) return { text: statText(await accounting(files, cgroupOf(container))) };
    const own = await ownCgroup(machine, container);
    if (own !== undefined) return { text: statText(await accounting(files, own)) };
    return { text: statText(await processAccounting(files, await machine.found.processesBelow(container))) };
  },
};
