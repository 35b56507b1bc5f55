/** CRIU's command lines. Options are those that were found to work together; criu(8) tells what each is. */

/** Shared by dump and restore. */
const COMMON = ['--tcp-established', '--file-locks', '--link-remap', '--ext-unix-sk', '--manage-cgroups=ignore'];

/** Where the restoring child has a bind of the root, and the container's directory (src/init/restore.c). */
const NEW_ROOT = '/run/root';
const TREE = '/run/tree';

/** Where it has cgroup v2 as a container with a user namespace is to see it (copies.ts). */
export const CGROUP = '/run/cgroup';

/** Where it has the file that output goes to. */
const OUTPUT_FD = 3;

/** Where a container has its init's program (src/init/program.c). */
export const PROGRAM_INSIDE = '/dev/.nsdir/nsdir-init';

/** Under load criu may need longer than its ten seconds to get hold of all processes. */
const COLLECT_LIMIT_S = 60;

export const DUMP_LOG = 'dump.log';
export const RESTORE_LOG = 'restore.log';

export const CPU_LOG = 'cpu.log';

/** Writes what the cpu can do beside the images, or checks that this one can do all of it. */
export function cpuArguments(action: 'dump' | 'check', imagesDir: string, workDir: string): string[] {
  return ['cpuinfo', action, '-D', imagesDir, '-W', workDir, '-o', CPU_LOG, '-v2'];
}

/** A mount of the container that is not its own. */
export interface ExternalMount {
  readonly mountPoint: string;
  /** What it is called in the images. */
  readonly key: string;
  /** What is mounted there when it is restored. */
  readonly source: string;
}

/** What a container has of the machine. */
export interface Surroundings {
  /** Where the tree is mounted in it; absent if it is not. */
  readonly tree: string | undefined;
  /** The init's program, as the machine has it; absent where the init is not ours. */
  readonly program: string | undefined;
  readonly disks: readonly { readonly mountPoint: string; readonly source: string }[];
  /** Where it has cgroup v2, if that is not mounted anew by criu. */
  readonly cgroup?: string | undefined;
}

export function externalMounts({ tree, program, disks, cgroup }: Surroundings): ExternalMount[] {
  return [
    ...(tree === undefined ? [] : [{ mountPoint: tree, key: 'tree', source: TREE }]),
    ...(program === undefined ? [] : [{ mountPoint: PROGRAM_INSIDE, key: 'program', source: program }]),
    ...(cgroup === undefined ? [] : [{ mountPoint: cgroup, key: 'cgroup', source: CGROUP }]),
    ...disks.map((disk, index) => ({ ...disk, key: `disk${index}` })),
  ];
}

export interface DumpTarget {
  readonly init: number;
  readonly cgroupDir: string;
  readonly imagesDir: string;
  readonly workDir: string;
  readonly mounts: readonly ExternalMount[];
  /** Open files that were opened outside of its mounts, as criu calls them. */
  readonly files?: readonly string[];
}

/** The processes go on afterwards; if their cgroup was frozen before, it is again. */
export function dumpArguments(target: DumpTarget): string[] {
  const { init, cgroupDir, imagesDir, workDir, mounts, files = [] } = target;
  return [
    ...['dump', '-t', String(init), '-D', imagesDir, '-W', workDir, '-o', DUMP_LOG, '-v4'],
    ...COMMON,
    ...['--leave-running', '--freeze-cgroup', cgroupDir, '--timeout', String(COLLECT_LIMIT_S)],
    ...mounts.flatMap(({ mountPoint, key }) => ['--external', `mnt[${mountPoint}]:${key}`]),
    ...files.flatMap((file) => ['--external', file]),
  ];
}

export interface RestoreTarget {
  readonly imagesDir: string;
  readonly workDir: string;
  readonly mounts: readonly ExternalMount[];
  /** What `files` of the dump are now: descriptor 3 of criu. */
  readonly files?: readonly string[];
  /** Pairs of interfaces, as criu wants them named. */
  readonly veths?: readonly string[];
  readonly stopped: boolean;
}

/** Of a child of the launcher, which prepares what is named here. */
export function restoreArguments(target: RestoreTarget): string[] {
  const { imagesDir, workDir, mounts, files = [], veths = [], stopped } = target;
  return [
    ...['restore', '-D', imagesDir, '-W', workDir, '-o', RESTORE_LOG, '-v2'],
    ...COMMON,
    ...['--restore-detached', '--restore-sibling', '--root', NEW_ROOT],
    ...(stopped ? ['--leave-stopped'] : []),
    ...mounts.flatMap(({ key, source }) => ['--external', `mnt[${key}]:${source}`]),
    ...veths.flatMap((veth) => ['--external', veth]),
    ...files.flatMap((file) => ['--inherit-fd', `fd[${OUTPUT_FD}]:${file}`]),
  ];
}
