import { type ExternalMount, externalMounts, restoreArguments } from '../checkpoint/arguments.ts';
import { withCopies } from '../checkpoint/copies.ts';
import type { Criu } from '../checkpoint/criu.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { vethArgument } from './veths.ts';

/** Where containers have cgroup v2 (src/init/mounts.c). */
const CGROUPS = '/sys/fs/cgroup';

export interface ToRestore {
  readonly manifest: Manifest;
  readonly imagesDir: string;
  readonly workDir: string;
  /** The init's program as the machine has it; absent for a bundle. */
  readonly program: string | undefined;
  readonly frozen: boolean;
}

/** The command line of the launcher's child that restores (src/init/restore.c). */
export function restoreCommand(criu: Criu, { manifest, imagesDir, workDir, program, frozen }: ToRestore): string[] {
  const { bundle, veths = [], kinds, mountPoint } = manifest;
  const inUserNamespace = kinds.includes('user');
  const mounts = externalMounts({
    tree: mountPoint === '' ? undefined : mountPoint,
    program,
    disks: manifest.mounts.map((at, index) => ({ mountPoint: at, source: bundle?.sources[index] ?? at })),
    cgroup: inUserNamespace ? CGROUPS : undefined,
  });
  const command = (found: readonly ExternalMount[]) => [
    criu.program,
    ...restoreArguments({
      imagesDir,
      workDir,
      mounts: found,
      files: bundle?.files ?? [],
      veths: veths.map(vethArgument),
      stopped: frozen,
    }),
  ];
  return inUserNamespace ? withCopies(mounts, command) : command(mounts);
}
