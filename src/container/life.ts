import { watch } from 'node:fs';
import { isPopulated } from '../cgroup/cgroup.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import { removeUnlessPopulated } from '../cgroup/remove.ts';
import { waitUntil } from '../cgroup/wait.ts';
import type { Pid, Serial } from '../ids.ts';
import { now } from '../time.ts';
import { isLive, type Container } from './container.ts';
import type { Machine } from './machine.ts';
import { wayOf } from './ways.ts';

/**
 * The launcher says how a container's init ended; `status` is 128+n for a signal. With it the container ends, unless
 * processes are left, which then are followed until the last is gone.
 */
export async function initExited(machine: Machine, serial: Serial, init: Pid, status: number): Promise<void> {
  const { store, events, locks } = machine;
  const container = store.registry.get(serial);
  // What starts it may have more to do before it says which init it has: a runtime's program may be that quick.
  if (container && container.init?.pid !== init && locks.current(container) !== undefined) {
    await locks.hold(container, 'see the end of it', () => Promise.resolve());
  }
  if (container?.init?.pid !== init || store.registry.get(serial) !== container) return;
  // Of one that is being removed, the drop tells more.
  if (container.phase !== 'removing') store.commit([{ op: 'exit', serial, status, at: now() }]);
  events.emit(container, 'exited', status);
  waiting.get(container)?.();
  await settle(machine, container);
}

/** Who waits for an init's end. */
const waiting = new WeakMap<Container, () => void>();

/**
 * Fulfilled when the launcher has said how the container's init ended, at once if it has none, else after `limitMs` at the
 * latest. When an init with a pid namespace has ended, so has all that was in it (pid_namespaces(7)).
 */
export async function initGone(container: Container, limitMs: number): Promise<void> {
  if (!container.init || container.found) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, limitMs);
    waiting.set(container, () => {
      clearTimeout(timer);
      resolve();
    });
  });
  waiting.delete(container);
}

/** The container has stopped if no process is left in it; else it is watched until that is so. */
export async function settle(machine: Machine, container: Container): Promise<void> {
  const { files, locks, store, log } = machine;
  const isMine = () => store.registry.get(container.serial) === container && isLive(container);
  try {
    await locks.hold(container, 'see the end of it', async () => {
      if (!isMine()) return;
      const directory = machine.cgroupOf(container);
      if (isPopulated(files, ownLeaf(directory))) {
        watchUntilEmpty(machine, container);
        return;
      }
      store.commit([{ op: 'phase', serial: container.serial, phase: 'stopped', at: now() }]);
      await removeUnlessPopulated(files, directory);
      await wayOf(container).ended?.(machine, container);
    });
  } catch (cause) {
    log.warn({ container: container.serial, err: cause }, 'cannot clean up behind a container that ended');
    if (isMine()) setTimeout(() => void settle(machine, container), SETTLE_AGAIN_MS).unref();
  }
}

/** How long the cgroup of a pid namespace may still count processes after its init has been reaped. */
const DYING_MS = 500;

/**
 * A container whose init has ended, and nobody is left in it, has stopped, though that may not be written down yet: does
 * that. With the init of a pid namespace all that was in it has ended (pid_namespaces(7)), so their last steps are
 * waited for.
 */
export async function settleIfEnded(machine: Machine, container: Container): Promise<void> {
  if (!isLive(container) || container.init) return;
  const leaf = ownLeaf(machine.cgroupOf(container));
  const limitMs = container.kinds?.includes('pid') === true ? DYING_MS : 0;
  if (await waitUntil(() => !isPopulated(machine.files, leaf), limitMs)) await settle(machine, container);
}

/** What is in the way of it, another verb or a full disk, is gone some day. */
const SETTLE_AGAIN_MS = 1000;

/** How often to look where the kernel does not tell: it lets nobody watch any more (`fs.inotify.max_user_watches`). */
const LOOK_EVERY_MS = 1000;

const watchers = new WeakMap<Container, { close(): void }>();

/** The kernel modifies `cgroup.events` when the last process is gone (cgroup-v2.rst, "[Un]populated Notification"). */
export function watchUntilEmpty(machine: Machine, container: Container): void {
  if (watchers.has(container)) return;
  const leaf = ownLeaf(machine.cgroupOf(container));
  const settleOnce = () => {
    if (isPopulated(machine.files, leaf)) return;
    watchers.get(container)?.close();
    watchers.delete(container);
    void settle(machine, container);
  };
  try {
    const watcher = watch(`${leaf}/cgroup.events`, { persistent: false }, settleOnce);
    watcher.on('error', settleOnce);
    watchers.set(container, watcher);
  } catch (cause) {
    machine.log.warn({ container: container.serial, err: cause }, 'cannot watch for the end of a container; looking');
    const timer = setInterval(settleOnce, LOOK_EVERY_MS).unref();
    watchers.set(container, {
      close: () => {
        clearInterval(timer);
      },
    });
  }
  settleOnce();
}
