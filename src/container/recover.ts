import { isPopulated, ownProcesses, subtree as cgroupsBelow } from '../cgroup/cgroup.ts';
import { isAskedToFreeze, thaw } from '../cgroup/freeze.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import { moveProcesses } from '../cgroup/relocate.ts';
import { removeCgroup } from '../cgroup/remove.ts';
import { waitUntil } from '../cgroup/wait.ts';
import { readIfThere } from '../files.ts';
import { serial as checkedSerial, type Pid, type Serial } from '../ids.ts';
import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { isAlive, namespacesOf, readStat } from '../proc/process.ts';
import { now } from '../time.ts';
import { chainOf, isLive, subtree, type Container } from './container.ts';
import { destroyCgroup, finishRemoval } from './destroy.ts';
import { watchUntilEmpty } from './life.ts';
import type { Machine } from './machine.ts';

/** How long the start of a daemon waits for what a removal that was interrupted left alive. */
const LEFTOVER_WAIT_MS = 2_000;

const EXIT_NEWS_MS = 500;

/** Depth of cgroups that is looked into; the kernel allows no more by default either (`cgroup.max.depth`). */
const DEPTH_LIMIT = 512;

/**
 * Makes the registry and the kernel say the same after a daemon's death, the kernel being right: finishes removals and
 * moves that were under way, and finds out who lives. Called before requests are served.
 */
export async function recover(machine: Machine): Promise<void> {
  const { store, log } = machine;
  await hearExits(machine);
  const found = findCgroups(machine, machine.cgroupBase, 0);
  for (const [serial, directory] of found) {
    await attempt(machine, directory, () => placeCgroup(machine, serial, directory));
  }
  for (const container of [...subtree(store.registry.root)]) {
    if (!container.parent || !store.registry.get(container.serial)) continue;
    await attempt(machine, container.name, async () => {
      if (container.phase === 'removing') await finishRemoval(machine, container);
      else await seeWhoLives(machine, container);
    });
  }
  log.info({ containers: store.registry.size - 1, cgroups: found.length }, 'recovered');
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

/** A cgroup whose container was dropped is what a removal left; one at another place than it should be, what a move left. */
async function placeCgroup(machine: Machine, serial: Serial, directory: string): Promise<void> {
  const { files, store } = machine;
  if (!files.existsSync(directory)) return;
  const container = store.registry.get(serial);
  if (!container) {
    if (serial < store.registry.nextSerial) await destroyCgroup(machine, directory, LEFTOVER_WAIT_MS);
    else recoverName(machine, serial);
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
  if (container.phase !== 'frozen') await thaw(files, expected);
}

/** A move died halfway: what is still at the old place follows to the new one. */
async function mergeInto({ files }: Machine, source: string, target: string): Promise<void> {
  for (const directory of await cgroupsBelow(files, source)) {
    const there = `${target}${directory.slice(source.length)}`;
    if (!files.existsSync(there)) files.mkdirSync(there);
    await moveProcesses(files, directory, there);
  }
  await removeCgroup(files, source);
}

/** A container whose making was torn off the journal's end lives on under a name that says so. */
function recoverName({ store, log }: Machine, serial: Serial): void {
  const name = `recovered-${serial}`;
  log.warn({ container: serial, name }, 'the journal does not know this container');
  const { root } = store.registry;
  store.commit([{ op: 'make', serial, parent: root.serial, name, mode: 0o700, uid: 0, gid: 0, at: now() }]);
}

async function seeWhoLives(machine: Machine, container: Container): Promise<void> {
  const { files, store } = machine;
  const { serial } = container;
  const directory = machine.cgroupOf(container);
  const leaf = ownLeaf(directory);
  if (!isPopulated(files, leaf)) {
    if (isLive(container)) {
      if (container.init) store.commit([{ op: 'exit', serial, at: now() }]);
      store.commit([{ op: 'phase', serial, phase: 'stopped', at: now() }]);
    }
    if (files.existsSync(directory) && !isPopulated(files, directory)) await removeCgroup(files, directory);
    return;
  }
  if (container.init && !isAlive(files, container.init.pid, container.init.startTime))
    store.commit([{ op: 'exit', serial, at: now() }]);
  const phase = isAskedToFreeze(files, directory) ? 'frozen' : 'running';
  if (container.phase !== phase) store.commit([{ op: 'phase', serial, phase, at: now() }]);
  if (!container.init) findInit(machine, container, leaf);
  if (!container.init) watchUntilEmpty(machine, container);
}

/** A start whose last record was torn off: its init is there all the same. */
function findInit(machine: Machine, container: Container, leaf: string): void {
  const { files, store } = machine;
  for (const pid of ownProcesses(files, leaf)) {
    if (readIfThere(files, `/proc/${pid}/comm`)?.trim() !== 'nsdir-init') continue;
    const startTime = readStat(files, pid)?.starttime;
    if (startTime === undefined) continue;
    const change = {
      op: 'start',
      serial: container.serial,
      init: { pid, startTime },
      kinds: ownKinds(machine, pid),
    } as const;
    store.commit([{ ...change, at: now() }]);
    return;
  }
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
    machine.log.error({ what, cause }, 'cannot recover this container; it is left as it is');
  }
}
