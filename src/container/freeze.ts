import * as cgroup from '../cgroup/freeze.ts';
import { FsError } from '../errno.ts';
import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { now } from '../time.ts';
import { contains, frozenBy, isLive, pathOf, type Container } from './container.ts';
import { cgroupOfInit, ownCgroup } from './kill-found.ts';
import type { Machine } from './machine.ts';
import { requireMayKill } from './signal.ts';
import { requireThere } from './still-there.ts';

export interface Asker {
  readonly pid: Pid;
  readonly uid: number;
}

/**
 * Stops every process of the subtree where it is. EBUSY if it does not run, holds the daemon or the caller; EPERM
 * as from kill(2), if what was discovered there has processes that the caller may not signal.
 */
export async function freeze(machine: Machine, container: Container, { pid, uid }: Asker): Promise<void> {
  const what = `freeze "${pathOf(container)}"`;
  await machine.locks.hold(container, what, async () => {
    requireThere(machine, container, what);
    if (container.phase === 'frozen') return;
    if (!isLive(container)) throw new FsError('EBUSY', `Cannot ${what}: it is ${container.phase}; start it first`);
    const inside = [pid, process.pid as Pid].map((each) => machine.containerOf(each));
    if (container.serial === ROOT_SERIAL || inside.some((own) => own && contains(container, own))) {
      throw new FsError('EBUSY', `Cannot ${what}: who asks or the daemon lives in it; ask from outside`);
    }
    await requireMayKill(machine, container, uid, what);
    const directory = await freezable(machine, container, what);
    await cgroup.freeze(machine.files, directory);
    try {
      machine.store.commit([{ op: 'phase', serial: container.serial, phase: 'frozen', at: now() }]);
    } catch (error) {
      await cgroup.thaw(machine.files, directory);
      throw error;
    }
    machine.events.emit(container, 'frozen');
  });
}

/** Lets it go on. Nothing to do if it runs; EBUSY if a container above is the one that is frozen, or if it ended meanwhile. */
export async function thaw(machine: Machine, container: Container, { uid }: Pick<Asker, 'uid'>): Promise<void> {
  const what = `thaw "${pathOf(container)}"`;
  await machine.locks.hold(container, what, async () => {
    requireThere(machine, container, what);
    if (container.phase === 'running') {
      const frozen = frozenBy(container);
      if (!frozen) return;
      throw new FsError('EBUSY', `Cannot ${what}: "${pathOf(frozen)}" is frozen; write running to its .state`);
    }
    if (container.phase !== 'frozen') {
      throw new FsError('EBUSY', `Cannot ${what}: it is ${container.phase} by now; write running again to start it`);
    }
    await requireMayKill(machine, container, uid, what);
    const directory = await freezable(machine, container, what);
    await cgroup.thaw(machine.files, directory);
    try {
      machine.store.commit([{ op: 'phase', serial: container.serial, phase: 'running', at: now() }]);
    } catch (error) {
      await cgroup.freeze(machine.files, directory);
      throw error;
    }
    machine.events.emit(container, 'thawed');
  });
}

/** The cgroup that holds all of the container, and nobody else. EBUSY where a discovered one shares its with others. */
async function freezable(machine: Machine, container: Container, what: string): Promise<string> {
  if (!container.found) return machine.cgroupOf(container);
  const own = await ownCgroup(machine, container);
  if (own !== undefined) return own;
  const shared = cgroupOfInit(machine, container) ?? 'the root of the hierarchy';
  throw new FsError(
    'EBUSY',
    `Cannot ${what}: its processes share their cgroup (${shared}) with others, who would stand still too; ` +
      'write STOP to .signal to stop them one by one',
  );
}
