import * as cgroup from '../cgroup/freeze.ts';
import { FsError } from '../errno.ts';
import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { now } from '../time.ts';
import { contains, frozenBy, isLive, pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** Stops every process of the subtree where it is. EBUSY if it does not run, holds the daemon or the caller. */
export async function freeze(machine: Machine, container: Container, caller: Pid): Promise<void> {
  const what = `freeze "${pathOf(container)}"`;
  await machine.locks.hold(container, what, async () => {
    if (container.phase === 'frozen') return;
    if (!isLive(container)) throw new FsError('EBUSY', `Cannot ${what}: it is ${container.phase}; start it first`);
    const inside = [caller, process.pid as Pid].map((pid) => machine.containerOf(pid));
    if (container.serial === ROOT_SERIAL || inside.some((own) => own && contains(container, own))) {
      throw new FsError('EBUSY', `Cannot ${what}: who asks or the daemon lives in it; ask from outside`);
    }
    await cgroup.freeze(machine.files, machine.cgroupOf(container));
    try {
      machine.store.commit([{ op: 'phase', serial: container.serial, phase: 'frozen', at: now() }]);
    } catch (error) {
      await cgroup.thaw(machine.files, machine.cgroupOf(container));
      throw error;
    }
    machine.events.emit(container, 'frozen');
  });
}

/** Lets it go on. Nothing to do if it runs; EBUSY if a container above is the one that is frozen, or if it ended meanwhile. */
export async function thaw(machine: Machine, container: Container): Promise<void> {
  const what = `thaw "${pathOf(container)}"`;
  await machine.locks.hold(container, what, async () => {
    if (container.phase === 'running') {
      const frozen = frozenBy(container);
      if (!frozen) return;
      throw new FsError('EBUSY', `Cannot ${what}: "${pathOf(frozen)}" is frozen; write running to its .state`);
    }
    if (container.phase !== 'frozen') {
      throw new FsError('EBUSY', `Cannot ${what}: it is ${container.phase} by now; write running again to start it`);
    }
    await cgroup.thaw(machine.files, machine.cgroupOf(container));
    try {
      machine.store.commit([{ op: 'phase', serial: container.serial, phase: 'running', at: now() }]);
    } catch (error) {
      await cgroup.freeze(machine.files, machine.cgroupOf(container));
      throw error;
    }
    machine.events.emit(container, 'thawed');
  });
}
