import { readdirSync } from 'node:fs';
import type { Surroundings } from '../checkpoint/arguments.ts';
import type { SavedBundle } from '../checkpoint/manifest.ts';
import { processes } from '../cgroup/cgroup.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import { ifThere, readIfThere, readlinkIfAllowed, type FileAccess } from '../files.ts';
import { stateFiles } from '../instance.ts';
import { bundleDirectory } from './bundle-place.ts';
import type { Container } from './container.ts';
import { foreignMounts } from './foreign-mounts.ts';
import type { Machine } from './machine.ts';
import { currentProgram, programFile } from './program.ts';
import { wayOf } from './ways.ts';

/** What a container has of the machine, to be named to criu, and found again by who restores it. */
export async function whatItHas(
  machine: Machine,
  container: Container,
): Promise<{ readonly surroundings: Surroundings; readonly bundle: SavedBundle | undefined }> {
  const { instance } = machine;
  const { tree, root, disks, cgroup } = foreignMounts(machine, container);
  const isOurs = wayOf(container).isInitOurs;
  const program = isOurs ? programFile(instance.stateDir, currentProgram(instance.stateDir)) : undefined;
  // A container of ours has the machine's files at the machine's places.
  const found = disks.map(({ mountPoint, source }) => ({ mountPoint, source: isOurs ? mountPoint : (source ?? '') }));
  const surroundings = { tree, program, disks: found, cgroup };
  if (isOurs) return { surroundings, bundle: undefined };
  const bundle = {
    path: bundleDirectory(machine, container),
    root: root ?? '',
    sources: found.map(({ source }) => source),
    files: await outputFiles(machine, container),
  };
  return { surroundings, bundle };
}

/** The open files that its output goes to, which were opened outside, as criu calls them: by mount and inode. */
async function outputFiles(machine: Machine, container: Container): Promise<string[]> {
  const { files, instance } = machine;
  const { output } = stateFiles(instance, container.serial);
  const found = new Set<string>();
  for (const pid of await processes(files, ownLeaf(machine.cgroupOf(container)))) {
    for (const fd of ifThere(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      if (readlinkIfAllowed(files, `/proc/${pid}/fd/${fd}`) !== output) continue;
      const name = nameOf(files, `/proc/${pid}/fdinfo/${fd}`, files.statSync(output).ino);
      if (name !== undefined) found.add(name);
    }
  }
  return [...found];
}

function nameOf(files: FileAccess, fdinfo: string, inode: number): string | undefined {
  const mount = /^mnt_id:\s*(\d+)$/m.exec(readIfThere(files, fdinfo) ?? '')?.[1];
  return mount === undefined ? undefined : `file[${Number(mount).toString(16)}:${inode.toString(16)}]`;
}
