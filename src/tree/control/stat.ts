import { accounting, machineAccounting, statText } from '../../cgroup/accounting.ts';
import { isLive } from '../../container/container.ts';
import { ROOT_SERIAL } from '../../ids.ts';
import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** Accounting of the whole subtree, flat `key value` lines as in cgroup v2 (cgroup-v2.rst). */
export const stat: ControlEntry = {
  entry: 7,
  name: '.stat',
  mode: () => S_IFREG | 0o444,
  present: isLive,
  produce: async ({ files, hierarchy, cgroupOf }, container) => {
    if (container.serial === ROOT_SERIAL) return { text: statText(machineAccounting(files, hierarchy.mountPoint)) };
    return { text: statText(await accounting(files, cgroupOf(container))) };
  },
};
