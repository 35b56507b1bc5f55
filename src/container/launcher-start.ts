import { type Errno, errnoName, FsError } from '../errno.ts';
import type { Serial } from '../ids.ts';
import type { PinnedProcess } from './container.ts';

/** A start takes milliseconds; what takes longer hangs on something and is killed. */
export const START_LIMIT_MS = 10_000;

/** How long a start that is given up may take to die; one that hangs in the kernel dies when that lets go of it. */
export const CANCEL_LIMIT_MS = 2000;

/** What a container is started with. Paths are absolute and those of the daemon, unless said otherwise. */
export interface StartSpec {
  readonly serial: Serial;
  /** An existing cgroup v2 directory to which `cgroup.kill` was never written. */
  readonly cgroupDir: string;
  /** CLONE_NEW* bits of the namespaces it gets of its own; the others are those of `parentInit`, or the launcher's. */
  readonly flags: number;
  /** Its name: the host name, cut at 64 bytes, and what ps(1) shows. */
  readonly hostname: string;
  /** Init of the nearest running container around it, or 0. */
  readonly parentInit: number;
  /** When that was started, in clock ticks: another process of this pid is ESRCH. */
  readonly parentStartTime?: number | undefined;
  readonly mountPoint: string;
  /** Its own directory below the mount point *as `parentInit` sees it*; may be longer than `PATH_MAX`. */
  readonly path: string;
  /** Inode number of that directory: another one found there is ESTALE. 0: the tree is not to be seen inside. */
  readonly inode: number;
  /** Where its init is to take requests: on a disk file system, at most 107 bytes. */
  readonly initSocket: string;
  /** Absent: the launcher's user. */
  readonly owner?: OwnerSpec | undefined;
}

/** As whom a container's processes run (src/init/owner.c). */
export interface OwnerSpec {
  readonly uid: number;
  readonly gid: number;
  /** Lines of uid_map and gid_map; empty: those of the user namespace of `parentInit`. */
  readonly uidMap: string;
  readonly gidMap: string;
  /** How many processes he may have before those of the container make no more (RLIMIT_NPROC). */
  readonly processes: number;
}

/** The words of the request `start` or `start-user`, see src/init/launcher.c. */
export function startWords(id: number, spec: StartSpec): string[] {
  const { owner } = spec;
  const whose = owner
    ? [String(owner.uid), String(owner.gid), owner.uidMap, owner.gidMap, String(owner.processes)]
    : [];
  return [
    owner ? 'start-user' : 'start',
    String(id),
    String(spec.serial),
    spec.cgroupDir,
    String(spec.flags),
    spec.hostname,
    String(spec.parentInit),
    String(spec.parentStartTime ?? 0),
    spec.mountPoint,
    spec.path,
    String(spec.inode),
    spec.initSocket,
    ...whose,
  ];
}

/** What a container is made anew with from images (src/init/makers.c). Paths are absolute and those of the daemon. */
export interface RestoreSpec extends Pick<
  StartSpec,
  'serial' | 'cgroupDir' | 'hostname' | 'parentInit' | 'parentStartTime' | 'mountPoint' | 'inode'
> {
  /** Its own directory below the mount point. */
  readonly path: string;
  /** An existing directory, for what criu says. */
  readonly workDir: string;
  /** Its root directory, as the machine has it. */
  readonly root: string;
  /** A file that criu has open as descriptor 3. */
  readonly output: string | undefined;
  /** Criu's whole command line; no word has a newline. */
  readonly command: readonly string[];
}

/** What an OCI runtime makes a container with (src/init/bundle.c). Paths are absolute and those of the daemon. */
export interface BundleSpec extends Pick<StartSpec, 'serial' | 'hostname'> {
  /** An existing cgroup v2 directory for the runtime itself. */
  readonly cgroupDir: string;
  /** Where cgroup v2 is mounted. */
  readonly hierarchy: string;
  readonly bundle: string;
  /** An existing directory: has the `config.json` to be used, and gets the runtime's `log` and the container's `pid`. */
  readonly workDir: string;
  /** What its standard output and error go to. */
  readonly output: string;
  /** The runtime's whole command line; no word has a newline. */
  readonly command: readonly string[];
}

/** The words of the request `bundle`. */
export function bundleWords(id: number, spec: BundleSpec): string[] {
  return [
    'bundle',
    String(id),
    String(spec.serial),
    spec.cgroupDir,
    spec.hierarchy,
    spec.bundle,
    spec.workDir,
    spec.output,
    spec.command.join('\n'),
  ];
}

/** The words of the request `restore`. */
export function restoreWords(id: number, spec: RestoreSpec): string[] {
  return [
    'restore',
    String(id),
    String(spec.serial),
    spec.cgroupDir,
    String(spec.parentInit),
    String(spec.parentStartTime ?? 0),
    spec.mountPoint,
    spec.path,
    String(spec.inode),
    spec.workDir,
    spec.root,
    spec.output ?? '',
    spec.command.join('\n'),
  ];
}

/** A start the launcher has not answered yet. */
export class PendingStart {
  readonly #name: string;
  readonly serial: Serial;
  readonly #cancel: () => void;
  readonly #settle: (outcome: PinnedProcess | FsError) => void;
  readonly result: Promise<PinnedProcess>;
  #timer: NodeJS.Timeout;
  #givenUp: { readonly errno: Errno; readonly why: string } | undefined;

  /** `cancel` asks the launcher to kill what there is; the start then ends as the launcher says. */
  constructor(
    { hostname, serial }: Pick<StartSpec, 'hostname' | 'serial'>,
    cancel: () => void,
    signal: AbortSignal | undefined,
    limitMs: number = START_LIMIT_MS,
  ) {
    this.#name = hostname;
    this.serial = serial;
    this.#cancel = cancel;
    this.#timer = setTimeout(() => {
      this.#giveUp('ETIMEDOUT', `it took more than ${limitMs} ms`);
    }, limitMs);
    let settle: (outcome: PinnedProcess | FsError) => void = () => undefined;
    this.result = new Promise((resolve, reject) => {
      settle = (outcome) => {
        if (outcome instanceof FsError) reject(outcome);
        else resolve(outcome);
      };
    });
    const abort = () => {
      this.#giveUp('EINTR', 'interrupted');
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#settle = (outcome) => {
      clearTimeout(this.#timer);
      signal?.removeEventListener('abort', abort);
      settle(outcome);
    };
  }

  started(init: PinnedProcess): void {
    this.#settle(init);
  }

  /** `number` is an errno's, `step` says what could not be done. */
  failed(number: number, step: string): void {
    const { errno, why } = this.#givenUp ?? { errno: errnoName(number), why: step };
    this.fail(errno, why);
  }

  fail(errno: Errno, why: string): void {
    this.#settle(new FsError(errno, `Cannot start "${this.#name}": ${why}: ${errno}`));
  }

  #giveUp(errno: Errno, why: string): void {
    this.#givenUp = { errno, why };
    clearTimeout(this.#timer);
    this.#cancel();
    this.#timer = setTimeout(() => {
      this.fail(errno, why);
    }, CANCEL_LIMIT_MS);
  }
}
