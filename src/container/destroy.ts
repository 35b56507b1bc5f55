import { existsSync, unlinkSync } from 'node:fs';
import { processes } from '../cgroup/cgroup.ts';
import { kill, killAtOnce, KILL_LIMIT_MS } from '../cgroup/kill.ts';
import { removeCgroup, removeIfEmpty } from '../cgroup/remove.ts';
import { FsError, quoted } from '../errno.ts';
import { isGone } from '../files.ts';
import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { stateFiles } from '../instance.ts';
import { now } from '../time.ts';
import { contains, isLive, pathOf, subtree, type Container } from './container.ts';
import { hasFound, killFound } from './kill-found.ts';
import { initGone } from './life.ts';
import type { Machine } from './machine.ts';
import { requireMayKill } from './signal.ts';
import { requireThere } from './still-there.ts';
import { ended } from './ways.ts';

/**
 * How long a removal waits for the dead to be gone. A process of the container that waits for a lock of this very
 * directory dies only when the removal is answered, so the rest is done afterwards.
 */
const REMOVE_WAIT_MS = 1_000;

/** How often the killing that a removal left behind is tried again. */
const AFTERMATH_TRIES = 60;

/** How long to wait for the launcher's word on how an init ended, once all processes are gone. */
const EXIT_WAIT_MS = 500;

/** 128 + SIGKILL. */
const KILLED_STATUS = 137;

export interface Remover {
  readonly caller: { readonly pid: Pid; readonly uid: number };
  /** Absent: nobody waits for an answer. */
  readonly unique?: number;
}

/** What is to be killed and removed: a cgroup, */
interface Remains {
  readonly directory: string;
  /** that of a container, with what was discovered in it, */
  readonly container?: Container;
  /** for whom. A daemon that finishes what another one began, for root. */
  readonly uid: number;
}

type Doomed = Remains & { readonly container: Container };

/**
 * Kills every process of the subtree; the nodes stay. EBUSY for the machine, the daemon's own container, and when some
 * are not dead in time: they were killed all the same, and are seen ending when they do. A caller that is inside is one of
 * the killed, and dies only when it is answered.
 */
export async function stop(machine: Machine, container: Container, caller: Remover['caller']): Promise<void> {
  const what = `stop "${pathOf(container)}"`;
  await machine.locks.hold(container, what, async () => {
    requireThere(machine, container, what);
    refuse(machine, container, what);
    await requireMayKill(machine, container, caller.uid, what);
    const directory = machine.cgroupOf(container);
    const own = machine.containerOf(caller.pid);
    const isInside = own !== undefined && contains(container, own);
    // Without room to write down that they are dead, nobody is killed: an exit and a phase for each.
    machine.store.requireRoom([...subtree(container)].filter(isLive).length * 2);
    if (await killAll(machine, container, caller.uid, isInside ? 0 : KILL_LIMIT_MS)) {
      await settleDead(machine, container);
      await removeCgroup(machine.files, directory);
      await ended(machine, container);
      return;
    }
    if (!isInside) throw await unkillable(machine, directory, what);
  });
}

/**
 * rmdir(2): removes an empty directory; of a container that runs, whose entries were unlinked, kills all there is.
 * `leftIn`, the name of an entry that is left, is asked for once nobody else works on it. ENOTEMPTY, EBUSY.
 */
export async function remove(
  machine: Machine,
  container: Container,
  request: Remover,
  leftIn: () => string | undefined,
): Promise<void> {
  const { store, events, locks, files } = machine;
  const what = `remove "${pathOf(container)}"`;
  await locks.hold(container, what, async () => {
    requireThere(machine, container, what);
    refuse(machine, container, what);
    const left = leftIn();
    if (left !== undefined) {
      throw new FsError(
        'ENOTEMPTY',
        `Cannot ${what}: ${quoted(left)} is in it; rm -rf removes what is there and kills`,
      );
    }
    await requireMayKill(machine, container, request.caller.uid, what);
    const { serial } = container;
    const directory = machine.cgroupOf(container);
    const live = isLive(container);
    if (live || hasFound(container) || files.existsSync(directory)) {
      // With room for an exit and the drop.
      store.commit([{ op: 'phase', serial, phase: 'removing', at: now() }], request.unique, 2);
      await destroy(machine, { container, directory, uid: request.caller.uid });
      if (live) events.emit(container, 'killed');
    }
    drop(machine, container, request.unique);
  });
}

/** Finishes removals that a former daemon began. */
export async function finishRemoval(machine: Machine, container: Container): Promise<void> {
  await destroy(machine, { container, directory: machine.cgroupOf(container), uid: 0 });
  drop(machine, container);
}

/** Kills what is in a cgroup of no container any more, and removes it: now, and if need be until it is done. */
export async function destroyCgroup(machine: Machine, directory: string, limitMs: number): Promise<void> {
  if (await kill(machine, directory, { limitMs })) await removeCgroup(machine.files, directory);
  else void aftermath(machine, { directory, uid: 0 });
}

/** What fails is tried again afterwards: a container whose removal has begun does not stay. */
async function destroy(machine: Machine, doomed: Doomed): Promise<void> {
  const { container } = doomed;
  try {
    await destroyNow(machine, doomed);
  } catch (cause) {
    machine.log.error(
      { container: container.serial, err: cause },
      'a removal failed; it goes on without whom it was for',
    );
    void aftermath(machine, doomed);
  }
}

async function destroyNow(machine: Machine, doomed: Doomed): Promise<void> {
  const { container, directory, uid } = doomed;
  // The news of the inits' ends wakes us; then, nearly always, nobody is left.
  if (!killAtOnce(machine.files, directory)) await kill(machine, directory, { limitMs: 0 });
  await Promise.all([...subtree(container)].map((node) => initGone(node, EXIT_WAIT_MS)));
  // A cgroup that can be removed had nobody in it.
  if (!hasFound(container) && removeIfEmpty(machine.files, directory)) {
    await ended(machine, container);
    return;
  }
  if (!(await killAll(machine, container, uid, REMOVE_WAIT_MS))) {
    machine.log.warn({ container: container.serial }, 'killed processes are not gone yet; the removal goes on without');
    void aftermath(machine, doomed);
    return;
  }
  await removeCgroup(machine.files, directory);
  await ended(machine, container);
}

async function aftermath(machine: Machine, { directory, container, uid }: Remains): Promise<void> {
  try {
    for (let attempt = 0; attempt < AFTERMATH_TRIES; attempt++) {
      if (!(await kill(machine, directory, { limitMs: KILL_LIMIT_MS }))) continue;
      if (container && !(await killFound(machine, container, uid, KILL_LIMIT_MS))) continue;
      await removeCgroup(machine.files, directory);
      if (container) await ended(machine, container);
      return;
    }
    machine.log.error({ error: (await unkillable(machine, directory, 'remove it')).message }, 'given up');
  } catch (cause) {
    machine.log.error({ directory, err: cause }, 'cannot remove what is left of a container');
  }
}

/** By the cgroup what was started here, by their namespaces those that were discovered. */
async function killAll(machine: Machine, container: Container, uid: number, limitMs: number): Promise<boolean> {
  const [own, found] = await Promise.all([
    kill(machine, machine.cgroupOf(container), { limitMs }),
    killFound(machine, container, uid, limitMs),
  ]);
  return own && found;
}

function drop(machine: Machine, container: Container, unique?: number): void {
  const { instance, store, events } = machine;
  const nodes = [...subtree(container)];
  const parent = unique === undefined && container.parent ? { parent: container.parent.serial } : {};
  store.commit([{ op: 'drop', serial: container.serial, ...parent, at: now() }], unique);
  for (const node of nodes.reverse()) {
    events.emit(node, 'removed');
    if (node.phase === 'declared') continue;
    for (const file of Object.values(stateFiles(instance, node.serial))) {
      // Mostly there is none; asking is cheaper than an exception.
      if (existsSync(file)) unlinkIfThere(file);
    }
  }
}

function unlinkIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Nobody lives in the subtree any more: says so of every node, with how its init ended. */
async function settleDead(machine: Machine, container: Container): Promise<void> {
  const { store, events } = machine;
  const dead = [...subtree(container)].filter((node) => isLive(node) && !node.found);
  await Promise.all(dead.map((node) => initGone(node, EXIT_WAIT_MS)));
  for (const node of dead) {
    const { serial } = node;
    if (node.init) store.commit([{ op: 'exit', serial, status: KILLED_STATUS, at: now() }]);
    store.commit([{ op: 'phase', serial, phase: 'stopped', at: now() }]);
    events.emit(node, 'killed');
  }
}

function refuse(machine: Machine, container: Container, what: string): void {
  const own = machine.containerOf(process.pid as Pid);
  if (container.serial === ROOT_SERIAL || (own && contains(container, own))) {
    throw new FsError('EBUSY', `Cannot ${what}: the daemon itself lives in it`);
  }
}

async function unkillable({ files }: Machine, directory: string, what: string): Promise<FsError> {
  const [pid] = await processes(files, directory);
  return new FsError('EBUSY', `Cannot ${what}: process ${pid ?? '?'} does not die; see /proc/${pid ?? 'PID'}/stack`);
}
