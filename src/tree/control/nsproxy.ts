import { describeNamespaces } from '../../container/namespaces.ts';
import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** A line per kind: kind, inode, the kernel's unique id, how many processes share it, where it was first seen, and who they are. */
export const nsproxy: ControlEntry = {
  entry: 4,
  name: '.nsproxy',
  mode: () => S_IFREG | 0o444,
  present: (container) => container.init !== undefined,
  produce: async (machine, container, { caller }) => {
    const { lines, tasks } = await describeNamespaces(machine, container, caller.pid);
    return { text: lines.map((columns) => `${columns.join(' ')}\n`).join(''), nlink: tasks + 1 };
  },
};
