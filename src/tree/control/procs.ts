import { isLive } from '../../container/container.ts';
import { processesOf } from '../../container/processes.ts';
import { enter } from '../../container/enter.ts';
import { processNamed, SELF } from '../../container/process-named.ts';
import { FsError, quoted } from '../../errno.ts';
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
  /** A pid enters; 0 is who writes, as in cgroup.procs. */
  async write(machine, container, request, text) {
    if (!/^[0-9]{1,10}$/.test(text)) {
      throw new FsError('EINVAL', `Cannot write ${quoted(text)} to .procs: write a process's pid, or 0 for the caller`);
    }
    const name = Number(text) === 0 ? SELF : text;
    const pid = await processNamed(machine, request.caller, name);
    await enter(machine, { container, by: 'symlink' }, pid, request);
  },
};
