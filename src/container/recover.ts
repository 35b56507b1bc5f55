import { isPopulated, ownProcesses, subtree as cgroupsBelow } from '../cgroup/cgroup.ts';
import { freeze, isAskedToFreeze, thaw } from '../cgroup/freeze.ts';
import { kill } from '../cgroup/kill.ts';
import { tryWriteKnob } from '../cgroup/knob.ts';
import { leavesOf, ownLeaf } from '../cgroup/paths.ts';
import { moveProcesses } from '../cgroup/relocate.ts';
import { removeCgroup, removeUnlessPopulated } from '../cgroup/remove.ts';
import { copySettings } from '../cgroup/settings.ts';
import { waitUntil } from '../cgroup/wait.ts';
import { readIfThere, type FileAccess } from '../files.ts';
import { serial as checkedSerial, type Pid, type Serial } from '../ids.ts';
import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { forEachAtOnce } from '../pace.ts';
import { isAlive, namespacesOf, readStat, readStatus } from '../proc/process.ts';
import { now } from '../time.ts';
import { chainOf, isLive, subtree, type Container, type PinnedProcess } from './container.ts';
import { destroyCgroup, finishRemoval } from './destroy.ts';
import { watchUntilEmpty } from './life.ts';
import type { Machine } from './machine.ts';
import { unlockNetwork } from './unlock-network.ts';
import { wayOf } from './ways.ts';

/** How long the start of a daemon waits for what a removal that was interrupted left alive. */
const LEFTOVER_WAIT_MS = 2_000;

/** Removals that are finished at once at the start of a daemon. */
const REMOVED_AT_ONCE = 16;

const EXIT_NEWS_MS = 500;

/** How long the start of a daemon waits for a criu that still has hold of a container. */
const DUMP_END_MS = 20_000;

/** Of signal 9 in a mask of signals. */
const SIGKILL_BIT = 0x100n;

/** Depth of cgroups that is looked into; the kernel allows no more by default either (`cgroup.max.depth`). */
const DEPTH_LIMIT = 512;

/**
 * Makes the registry and the kernel say the same after a daemon's death, the kernel being right: finishes removals and
 * moves that were under way, and finds out who lives. Called before requests are served.
 */
export async function recover(machine: Machine): Promise<void> {
  const { store, log } = machine;
  await hearExits(machine);
  const given = store.registry.nextSerial;
  const found = findCgroups(machine, machine.cgroupBase, 0);
  await forEachAtOnce(leftovers(machine, found, given), REMOVED_AT_ONCE, (directory) =>
    attempt(machine, directory, () => destroyCgroup(machine, directory, LEFTOVER_WAIT_MS)),
  );
  for (const [serial, directory] of found) {
    await attempt(machine, directory, () => placeCgroup(machine, serial, directory, given));
  }
  await finishRemovals(machine);
  for (const container of [...subtree(store.registry.root)]) {
    if (!container.parent || !store.registry.get(container.serial)) continue;
    await attempt(machine, container.name, async () => {
      if (container.moving) await finishMove(machine, container);
      if (container.phase !== 'removing' && !container.found) await seeWhoLives(machine, container);
    });
  }
  log.info({ containers: store.registry.size - 1, cgroups: found.length }, 'recovered');
}

/** Those of the outermost containers that are being removed; what is in them goes with them. */
async function finishRemovals(machine: Machine): Promise<void> {
  const isRemoved = ({ phase }: Container) => phase === 'removing';
  const removed = [...subtree(machine.store.registry.root)].filter(
    (container) => isRemoved(container) && !chainOf(container).slice(0, -1).some(isRemoved),
  );
  await forEachAtOnce(removed, REMOVED_AT_ONCE, (container) =>
    attempt(machine, container.name, async () => {
      if (container.moving) await finishMove(machine, container);
      await finishRemoval(machine, container);
    }),
  );
}

/** The outermost cgroups of containers that were dropped. */
function leftovers(machine: Machine, found: readonly [Serial, string][], given: Serial): string[] {
  const directories: string[] = [];
  for (const [serial, directory] of found) {
    const outer = directories.at(-1);
    if (outer !== undefined && directory.startsWith(`${outer}/`)) continue;
    const isKnown = machine.store.registry.get(serial) !== undefined;
    if (!isKnown && !isUnwritten(machine, serial, directory, given)) directories.push(directory);
  }
  return directories;
}

/** Whether its making may have been torn off the journal's end. `given`: serials below it were given, as far as that knows. */
function isUnwritten({ files, store }: Machine, serial: Serial, directory: string, given: Serial): boolean {
  return serial >= given || (store.wasTorn && isPopulated(files, directory));
}

/** The launcher tells again what it saw and no daemon took down: better news than what can be found out now. */
async function hearExits({ files, store }: Machine): Promise<void> {
  const dead = [...subtree(store.registry.root)].filter(
    ({ init }) => init && !isAlive(files, init.pid, init.startTime),
  );
  await waitUntil(() => dead.every(({ init }) => init === undefined), EXIT_NEWS_MS);
}

/** Cgroups of containers, outermost first. */
function findCgroups(machine: Machine, directory: string, depth: number): [Serial, string][] {
  if (depth > DEPTH_LIMIT || !machine.files.existsSync(directory)) return [];
  return machine.files
    .readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^[1-9][0-9]{0,9}$/.test(entry.name))
    .flatMap(({ name }): [Serial, string][] => {
      const path = `${directory}/${name}`;
      return [[checkedSerial(Number(name)), path], ...findCgroups(machine, path, depth + 1)];
    });
}

/**
 * A cgroup whose container is not known is given a name; what is left of one at another place than it should be is what a
 * move left.
 */
async function placeCgroup(machine: Machine, serial: Serial, directory: string, given: Serial): Promise<void> {
  const { files, store } = machine;
  if (!files.existsSync(directory)) return;
  const container = store.registry.get(serial);
  if (!container) {
    if (isUnwritten(machine, serial, directory, given)) recoverName(machine, serial, directory);
    return;
  }
  const expected = machine.cgroupOf(container);
  if (expected === directory) return;
  machine.log.warn({ container: serial, directory, expected }, 'finishing a move that was interrupted');
  for (const ancestor of chainOf(container).slice(0, -1)) {
    const path = machine.cgroupOf(ancestor);
    if (!files.existsSync(path)) files.mkdirSync(path);
  }
  await mergeInto(machine, directory, expected);
}

/** A move died halfway: what is still at the old place follows to the new one. */
async function mergeInto({ files }: Machine, source: string, target: string): Promise<void> {
  for (const directory of await cgroupsBelow(files, source)) {
    const there = `${target}${directory.slice(source.length)}`;
    if (!files.existsSync(there)) {
      files.mkdirSync(there);
      copySettings(files, directory, there);
      if (isAskedToFreeze(files, directory)) await freeze(files, there);
    }
    await moveProcesses(files, directory, there);
  }
  await removeCgroup(files, source);
}

/** A move froze what it moved, and its daemon died before it could let it go on. */
async function finishMove(machine: Machine, container: Container): Promise<void> {
  const { files, store } = machine;
  const directory = machine.cgroupOf(container);
  // A checkpoint holds the processes one by one; criu lets go of them by itself.
  await waitUntil(() => !isTraced(machine, container), DUMP_END_MS);
  const { init, kinds = [] } = container;
  if (init && kinds.includes('net')) await unlockNetwork(machine, container.serial, init);
  tryWriteKnob(files, ownLeaf(directory), 'cgroup.freeze', '0');
  if (files.existsSync(directory)) {
    if (container.phase === 'frozen') await freeze(files, directory);
    else await thaw(files, directory);
  }
  store.commit([{ op: 'moving', serial: container.serial, moving: false }]);
}

function isTraced({ files }: Machine, { init }: Container): boolean {
  return init !== undefined && (readStatus(files, init.pid)?.tracerPid ?? 0) !== 0;
}

/** A container whose making was torn off the journal's end lives on under a name that says so. */
function recoverName(machine: Machine, serial: Serial, directory: string): void {
  const { store, log } = machine;
  const { root } = store.registry;
  // Outermost first, so the one around it is known by now.
  const [around = ''] = directory.split('/').slice(-2);
  const parent = /^[1-9][0-9]*$/.test(around) ? (store.registry.get(checkedSerial(Number(around))) ?? root) : root;
  let name = `recovered-${serial}`;
  while (parent.children.has(name)) name += '+';
  log.warn({ container: serial, name }, 'the journal does not know this container');
  store.commit([{ op: 'make', serial, parent: parent.serial, name, mode: 0o700, uid: 0, gid: 0, at: now() }]);
}

async function seeWhoLives(machine: Machine, container: Container): Promise<void> {
  const { files, store, events, launcher } = machine;
  const { serial } = container;
  const directory = machine.cgroupOf(container);
  const leaf = ownLeaf(directory);
  if (!leavesOf(directory).some((each) => isPopulated(files, each))) {
    if (isLive(container)) {
      if (container.init) store.commit([{ op: 'exit', serial, at: now() }]);
      store.commit([{ op: 'phase', serial, phase: 'stopped', at: now() }]);
    }
    if (files.existsSync(directory) && !isPopulated(files, directory)) await removeCgroup(files, directory);
    await wayOf(container).ended?.(machine, container);
    return;
  }
  if (container.init && !isAlive(files, container.init.pid, container.init.startTime))
    store.commit([{ op: 'exit', serial, at: now() }]);
  if (!container.init) adoptInit(machine, container, leaf);
  if (!container.init && !isLive(container)) {
    void clearLeftover(machine, container);
    return;
  }
  const phase = isAskedToFreeze(files, directory) ? 'frozen' : 'running';
  if (container.phase !== phase) {
    store.commit([{ op: 'phase', serial, phase, at: now() }]);
    events.emit(container, phase === 'frozen' ? 'frozen' : 'thawed');
  }
  if (!container.init || launcher.inits.get(serial)?.pid !== container.init.pid) watchUntilEmpty(machine, container);
}

/** A start whose record was torn off, or not written any more: its init is there all the same. */
function adoptInit(machine: Machine, container: Container, leaf: string): void {
  const { store, events, launcher } = machine;
  const { serial } = container;
  // While criu makes one there is what looks like an init; the launcher knows it when criu is done.
  const init =
    launcher.inits.get(serial) ?? (isBeingRestored(container) ? undefined : findInit(machine, container, leaf));
  if (!init) return;
  store.commit([{ op: 'start', serial, init, kinds: ownKinds(machine, init.pid), at: now() }]);
  events.emit(container, 'started');
}

/** What runs is then a criu that a former daemon asked for, with half a container. */
function isBeingRestored({ checkpoint, phase }: Container): boolean {
  return checkpoint === 'arriving' && phase === 'declared';
}

/** An init that the launcher does not know: it is another one than that which started it. */
function findInit({ files }: Machine, container: Container, leaf: string): PinnedProcess | undefined {
  for (const pid of ownProcesses(files, leaf)) {
    const stat = readStat(files, pid);
    if (!stat || !wayOf(container).isInit(files, pid) || isDying(files, pid)) continue;
    // Listed before and after it was looked at, and the same one: it never was another process of this pid.
    const init = { pid, startTime: stat.starttime };
    if (isAlive(files, pid, init.startTime) && ownProcesses(files, leaf).includes(pid)) return init;
  }
  return undefined;
}

/** Has got a SIGKILL (proc_pid_status(5)) and waits for something that it cannot be torn from, as for an answer of ours. */
function isDying(files: FileAccess, pid: Pid): boolean {
  const status = readIfThere(files, `/proc/${pid}/status`) ?? '';
  const pending = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)];
  return pending.some(([, mask]) => (BigInt(`0x${mask ?? '0'}`) & SIGKILL_BIT) !== 0n);
}

/**
 * What a start left that was given up with its daemon; it dies as soon as requests are served. Whoever wants to start the
 * container waits for it.
 */
async function clearLeftover(machine: Machine, container: Container): Promise<void> {
  await attempt(machine, container.name, () =>
    machine.locks.hold(container, 'clear away what a start left', async () => {
      if (isLive(container)) return;
      const directory = machine.cgroupOf(container);
      for (const leaf of leavesOf(directory)) {
        if (!(await kill(machine, leaf, { limitMs: LEFTOVER_WAIT_MS }))) return;
      }
      await removeUnlessPopulated(machine.files, directory);
      await wayOf(container).ended?.(machine, container);
    }),
  );
}

/** Kinds of which a process has another namespace than the daemon. */
function ownKinds({ files }: Machine, pid: Pid): NamespaceKind[] {
  const [its, ours] = [namespacesOf(files, pid), namespacesOf(files, process.pid as Pid)];
  return NAMESPACE_KINDS.map(({ kind }) => kind).filter((kind) => its[kind] !== ours[kind]);
}

async function attempt(machine: Machine, what: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (cause) {
    machine.log.error({ what, err: cause }, 'cannot recover this container; it is left as it is');
  }
}
