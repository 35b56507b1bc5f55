import fs from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readIfThere } from '../files.ts';
import { instanceFor, type Instance } from '../instance.ts';
import { isMachinesRoot } from '../own-user.ts';

/** What an instance has a place of its own for. */
export type Places = Pick<Instance, 'runDir' | 'stateDir' | 'cgroupName'>;

/**
 * Where an instance has its directories and its cgroup, if not where they usually are: noted beside its lock, for commands
 * that are not told. It goes with a reboot, as the instance does.
 */
function fileOf({ id, runDir }: Instance): string {
  return path.join(path.dirname(runDir), `${id}.places`);
}

/** The places that were noted for an instance whose usual ones are `standard`'s; `undefined` if those are its own. */
export function notedPlaces(standard: Instance): Places | undefined {
  try {
    const noted: unknown = JSON.parse(readIfThere(fs, fileOf(standard)) ?? 'null');
    return isPlaces(noted) ? noted : undefined;
  } catch {
    // Not for us to read.
    return undefined;
  }
}

/** Notes the places of an instance of ours, if they are not the usual ones. */
export async function notePlaces({ mountPoint, runDir, stateDir, cgroupName }: Instance): Promise<void> {
  const standard = instanceFor(mountPoint);
  const places: Places = { runDir, stateDir, cgroupName };
  // Another user's cgroup is told in his run directory.
  const isUsualCgroup = cgroupName === standard.cgroupName || !isMachinesRoot(fs);
  if (runDir === standard.runDir && stateDir === standard.stateDir && isUsualCgroup) {
    await forgetPlaces(standard);
    return;
  }
  const file = fileOf(standard);
  await writeFile(`${file}.new`, `${JSON.stringify(places)}\n`, { mode: 0o644 });
  await rename(`${file}.new`, file);
}

/** To be called when nothing is left of it. */
export async function forgetPlaces({ mountPoint }: Pick<Instance, 'mountPoint'>): Promise<void> {
  await rm(fileOf(instanceFor(mountPoint)), { force: true });
}

function isPlaces(value: unknown): value is Places {
  if (typeof value !== 'object' || value === null) return false;
  const { runDir, stateDir, cgroupName } = value as Record<string, unknown>;
  const isDirectory = (one: unknown) => typeof one === 'string' && path.isAbsolute(one);
  return isDirectory(runDir) && isDirectory(stateDir) && typeof cgroupName === 'string';
}
