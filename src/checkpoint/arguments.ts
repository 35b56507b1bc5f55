/** CRIU's command lines. Options are those that were found to work together; criu(8) tells what each is. */

/** Shared by dump and restore. */
const COMMON = ['--tcp-established', '--file-locks', '--link-remap', '--ext-unix-sk', '--manage-cgroups=ignore'];

/** Where the restoring child has a bind of the root, and the container's directory (src/init/restore.c). */
const NEW_ROOT = '/run/root';
const TREE = '/run/tree';

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

export interface DumpTarget {
  readonly init: number;
  readonly cgroupDir: string;
  readonly imagesDir: string;
  readonly workDir: string;
  /** Where the tree is mounted in the container; absent if it is not. */
  readonly mountPoint: string | undefined;
  /** Further mount points inside that belong to the machine. */
  readonly mounts: readonly string[];
}

/** The processes go on afterwards; if their cgroup was frozen before, it is again. */
export function dumpArguments(target: DumpTarget): string[] {
  const { init, cgroupDir, imagesDir, workDir, mountPoint, mounts } = target;
  return [
    ...['dump', '-t', String(init), '-D', imagesDir, '-W', workDir, '-o', DUMP_LOG, '-v4'],
    ...COMMON,
    ...['--leave-running', '--freeze-cgroup', cgroupDir, '--timeout', String(COLLECT_LIMIT_S)],
    ...externals(mountPoint, mounts, (point, key) => `mnt[${point}]:${key}`),
  ];
}

export interface RestoreTarget {
  readonly imagesDir: string;
  readonly workDir: string;
  readonly mountPoint: string | undefined;
  readonly mounts: readonly string[];
  /** The init's program, as the machine has it. */
  readonly program: string;
  readonly stopped: boolean;
}

/** Of a child of the launcher, which prepares what is named here. */
export function restoreArguments(target: RestoreTarget): string[] {
  const { imagesDir, workDir, mountPoint, mounts, program, stopped } = target;
  const sources: Record<string, string> = { [mountPoint ?? '']: TREE, [PROGRAM_INSIDE]: program };
  return [
    ...['restore', '-D', imagesDir, '-W', workDir, '-o', RESTORE_LOG, '-v2'],
    ...COMMON,
    ...['--restore-detached', '--restore-sibling', '--root', NEW_ROOT],
    ...(stopped ? ['--leave-stopped'] : []),
    ...externals(mountPoint, mounts, (point, key) => `mnt[${key}]:${sources[point] ?? point}`),
  ];
}

function externals(
  mountPoint: string | undefined,
  mounts: readonly string[],
  value: (point: string, key: string) => string,
): string[] {
  const rows = [
    ...(mountPoint === undefined ? [] : [{ point: mountPoint, key: 'tree' }]),
    { point: PROGRAM_INSIDE, key: 'program' },
    ...mounts.map((point, index) => ({ point, key: `disk${index}` })),
  ];
  return rows.flatMap(({ point, key }) => ['--external', value(point, key)]);
}
