import { isLive } from '../../container/container.ts';
import { processesOf } from '../../container/processes.ts';
import { FsError } from '../../errno.ts';
import { pidView } from '../../proc/pid-view.ts';
import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** Pids of the container itself, without those of containers in it, as the reader's pid namespace has them. */
export const procs: ControlEntry = {
  entry: 6,
  name: '.procs',
  mode: () => S_IFREG | 0o644,
  present: isLive,
  produce: async (machine, container, { caller }) => {
    const pids = await processesOf(machine, container);
    const view = pidView(machine, caller.pid);
    const seen = pids.map(view).filter((pid) => pid !== undefined);
    return { text: seen.map((pid) => `${pid}\n`).join('') };
  },
  write() {
    throw new FsError(
      'EPERM',
      'Cannot move a running process into a container; start the command inside with nsdir run NAME -- COMMAND',
    );
  },
};
