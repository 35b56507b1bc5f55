import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { OWN_UID, PRIVATE_STATE } from './own-user.ts';

/** One daemon's places: several may live on one machine, each with its mount point, run directory and cgroup. */
export interface Instance {
  readonly id: string;
  /** Absolute path where the tree is mounted; the same inside containers. */
  readonly mountPoint: string;
  /** Journal, sockets, pid file and log: gone with a reboot, as the containers are. */
  readonly runDir: string;
  /** On a disk file system, reachable inside containers: output of detached commands, inits' sockets. */
  readonly stateDir: string;
  /** Name of this daemon's cgroup, below the cgroup v2 root or wherever `--cgroup` says. */
  readonly cgroupName: string;
}

/** Name of the cgroup of a daemon that has none: its user may make none. */
export const NO_CGROUP = '';

export const DEFAULT_MOUNT_POINT = '/namespaces';

/** An id names sockets, whose paths are short (`sun_path` has 108 bytes, unix(7)). */
const ID_MAX_LENGTH = 24;

/** `uid`: whose daemon it is; ours, or root's. */
export function instanceFor(mountPoint: string = DEFAULT_MOUNT_POINT, uid: number = OWN_UID): Instance {
  const absolute = path.resolve(mountPoint);
  const id = instanceId(absolute);
  const { runDir, stateDir } = userDirectories(uid);
  return {
    id,
    mountPoint: absolute,
    runDir: path.join(runDir, id),
    stateDir: path.join(stateDir, id),
    cgroupName: `nsdir-${id}`,
  };
}

/** Root's are the machine's; another user's are his own (XDG Base Directory Specification). */
function userDirectories(uid: number): { readonly runDir: string; readonly stateDir: string } {
  if (uid === 0) {
    const stateDir = isOwn(PRIVATE_STATE, uid) ? PRIVATE_STATE : '/var/lib/nsdir';
    return { runDir: '/run/nsdir', stateDir };
  }
  const { XDG_RUNTIME_DIR, XDG_STATE_HOME } = process.env;
  const stateDir = path.join(XDG_STATE_HOME ?? path.join(homedir(), '.local/state'), 'nsdir');
  const candidates = [XDG_RUNTIME_DIR ?? '', `/run/user/${uid}`].filter((directory) => isOwn(directory, uid));
  const [runtimeDir] = candidates;
  return { runDir: runtimeDir === undefined ? path.join(stateDir, 'run') : path.join(runtimeDir, 'nsdir'), stateDir };
}

function isOwn(directory: string, uid: number): boolean {
  return directory !== '' && statSync(directory, { throwIfNoEntry: false })?.uid === uid;
}

function instanceId(mountPoint: string): string {
  const plain = mountPoint.slice(1);
  if (/^[a-z0-9_]+$/.test(plain) && plain.length <= ID_MAX_LENGTH) return plain;
  return createHash('sha256').update(mountPoint).digest('hex').slice(0, 12);
}

/** Files of the run directory; one table, so daemon and commands agree. */
export function runFiles(instance: Instance) {
  const at = (name: string) => path.join(instance.runDir, name);
  return {
    journal: at('journal'),
    tombstones: at('tombstones'),
    events: at('events'),
    pollers: at('pollers'),
    /** Files that the kernel reads and writes itself. */
    passed: at('passed'),
    inFlight: at('in-flight'),
    incarnation: at('incarnation'),
    session: at('session.json'),
    daemonPid: at('daemon.pid'),
    supervisePid: at('supervise.pid'),
    daemonLog: at('daemon.log'),
    /** What was in it before it was started anew. */
    formerLog: at('daemon.log.1'),
    launcherSocket: at('launcher.sock'),
    launcherPid: at('launcher.pid'),
    /** Which cgroup it is, for commands of users who have none by name. */
    cgroup: at('cgroup'),
    /** Directories that stand for cgroups where there are none. */
    groups: at('groups'),
    /** What OCI runtimes keep of containers, each in a directory with the container's number. */
    bundles: at('bundles'),
  } as const;
}

/** Files of the state directory that belong to a container. */
export function stateFiles(instance: Instance, serial: number) {
  return {
    /** stdout and stderr of what `nsdir run -d` started. */
    output: path.join(instance.stateDir, `${serial}.log`),
    /** Where the container's init takes requests (`SOCK_DGRAM`). */
    initSocket: path.join(instance.stateDir, `${serial}.sock`),
  } as const;
}

/** What criu has found out about the machine; not in a run directory, since each criu has a /run of its own. */
export function criuDir({ stateDir }: Instance): string {
  return path.join(stateDir, 'criu');
}

/** Directory of a container's checkpoints and of what arrives of one; made when there is something to keep. */
export function checkpointsDir(instance: Instance, serial: number): string {
  return path.join(instance.stateDir, `${serial}.checkpoints`);
}
