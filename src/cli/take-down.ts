import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import fs from 'node:fs';
import path from 'node:path';
import { clearAway } from '../../mount/device/mountpoint.ts';
import { findHierarchy } from '../cgroup/hierarchy.ts';
import type { Commit } from '../container/change.ts';
import { chainOf, pathOf, subtree } from '../container/container.ts';
import { Registry } from '../container/registry.ts';
import { systemErrno } from '../errno.ts';
import { type Instance, NO_CGROUP, runFiles } from '../instance.ts';
import { parseJournal } from '../journal/journal.ts';
import { isAlive } from '../proc/process.ts';
import { Failure } from './command.ts';
import { endDaemon, killDaemon } from './daemon-processes.ts';
import { forgetPlaces } from './places.ts';
import { pidFrom, signalIfThere, untilGone } from './processes.ts';

const LAUNCHER_TIMEOUT_MS = 2_000;

/** Ends the daemon and whatever mount of it is left: by asking, else, after `timeoutMs`, by aborting its connection and killing it. */
export async function takeDown(instance: Instance, timeoutMs?: number): Promise<void> {
  if (await endDaemon(instance, timeoutMs)) {
    await clearAway(instance.mountPoint);
    return;
  }
  await clearAway(instance.mountPoint);
  if (!(await killDaemon(instance))) {
    throw new Failure(`the daemon of ${instance.mountPoint} cannot be killed; see nsdir doctor`);
  }
}

/** Whether any process is left in the instance's cgroup (cgroup-v2.rst, `cgroup.events`), or any init where there is none. */
export async function isPopulated(instance: Instance): Promise<boolean> {
  if (instance.cgroupName === NO_CGROUP) {
    const { root } = await readRegistry(instance);
    return [...subtree(root)].some(
      ({ parent, init, found }) => parent && init && !found && isAlive(fs, init.pid, init.startTime),
    );
  }
  try {
    return /^populated 1$/m.test(await readFile(path.join(cgroupDirectory(instance), 'cgroup.events'), 'utf8'));
  } catch {
    return false;
  }
}

/** Paths below the mount point of the containers that were made here, without those in them, as the journal knows them now. */
export async function madeHere(instance: Instance): Promise<string[]> {
  const { root } = await readRegistry(instance);
  const made = [...subtree(root)].filter(({ parent, found }) => parent && !found);
  return made.filter(({ parent }) => !chainOf(parent ?? root).some(({ found }) => !found)).map(pathOf);
}

/**
 * Whether there is anything to be kept for a next daemon: a container, started or not, or a name somebody gave. To be
 * asked when no daemon writes the journal.
 */
export async function hasContainers(instance: Instance): Promise<boolean> {
  const { root } = await readRegistry(instance);
  return [...subtree(root)].some(({ parent, found }) => parent && found?.adopted !== false);
}

/** A torn end counts for nothing, as for the next daemon. */
async function readRegistry(instance: Instance): Promise<Registry> {
  const bytes = await readFile(runFiles(instance).journal).catch(() => Buffer.alloc(0));
  const registry = new Registry();
  const commits = parseJournal(bytes).entries as readonly Commit[];
  for (const { changes } of commits) for (const change of changes) registry.apply(change);
  return registry;
}

/**
 * After the last container: the launcher quits, and the run directory, the state directory and the cgroup go. The caller
 * has seen that there is no container, and holds the instance's lock.
 */
export async function removeTraces(instance: Instance): Promise<void> {
  await quitLauncher(instance);
  await removeCgroups(cgroupDirectory(instance));
  for (const directory of [instance.runDir, instance.stateDir]) await removeDirectory(directory);
  await forgetPlaces(instance);
}

/** With all that is in it. One that is a mount point stays, empty: it was not made here. */
async function removeDirectory(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    await rm(path.join(directory, name), { recursive: true, force: true });
  }
  try {
    await rmdir(directory);
  } catch (error) {
    if (systemErrno(error) !== 'EBUSY' && systemErrno(error) !== 'ENOENT') throw error;
  }
}

async function quitLauncher(instance: Instance): Promise<void> {
  const launcher = await pidFrom(runFiles(instance).launcherPid, ['nsdir-init']);
  if (launcher === undefined) return;
  signalIfThere(launcher, 'SIGTERM');
  if (await untilGone([launcher], LAUNCHER_TIMEOUT_MS)) return;
  signalIfThere(launcher, 'SIGKILL');
  await untilGone([launcher], LAUNCHER_TIMEOUT_MS);
}

function cgroupDirectory(instance: Instance): string {
  const { cgroupName } = instance;
  return cgroupName === NO_CGROUP ? runFiles(instance).groups : path.join(findHierarchy(fs).mountPoint, cgroupName);
}

/** A cgroup is removed by rmdir, its children first; its files are not touched. One in use is left. */
async function removeCgroups(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeCgroups(path.join(directory, entry.name));
  await rmdir(directory).catch(() => undefined);
}
