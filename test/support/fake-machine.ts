import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Hierarchy } from '../../src/cgroup/hierarchy.ts';
import { containerPath, OWN_LEAF, serialsOf } from '../../src/cgroup/paths.ts';
import type { Commit } from '../../src/container/change.ts';
import { chainOf, type Container, type PinnedProcess } from '../../src/container/container.ts';
import { Events } from '../../src/container/events.ts';
import { NO_DISCOVERY, type Discoverer } from '../../src/container/found.ts';
import type { StartSpec } from '../../src/container/launcher.ts';
import { initExited } from '../../src/container/life.ts';
import { Locks } from '../../src/container/locks.ts';
import type { Machine } from '../../src/container/machine.ts';
import { make } from '../../src/container/make.ts';
import { Store } from '../../src/container/store.ts';
import { USER_LIMITS } from '../../src/container/user-limits.ts';
import type { FileAccess } from '../../src/files.ts';
import { pid as checkedPid, type Pid, type Serial } from '../../src/ids.ts';
import { Journal } from '../../src/journal/journal.ts';
import type { Log } from '../../src/log.ts';
import { createCensusTaker } from '../../src/proc/census.ts';
import type { Request } from '../../src/tree/filesystem.ts';
import { directoryId } from '../../src/tree/node-id.ts';
import { AS_ROOT } from './as-root.ts';
import { FakeCgroupfs, type FakeCgroupfsOptions } from './fake-cgroupfs.ts';
import { FakeKernel } from './fake-kernel.ts';
import { FakeTracer } from './fake-tracer.ts';
import { addProcess, type FakeProcess } from './proc-tree.ts';

const MOUNT_POINT = '/sys/fs/cgroup';
const FIRST_PID = 1000;
const SIGKILL = 9;
const KILLED = 128 + SIGKILL;

/** Inode numbers of the namespaces that are the daemon's own: what a process has unless it was given another. */
export const OWN_NAMESPACES = { mnt: 1, uts: 2, ipc: 3, net: 4, pid: 5, pid_for_children: 5, user: 6, cgroup: 7 };

export interface FakeMachineOptions extends FakeCgroupfsOptions {
  /** Run and state directory of a machine that was there before: this is its next daemon. */
  readonly directory?: string;
  readonly cgroupfs?: FakeCgroupfs;
  /** What the launcher tells a new daemon of. */
  readonly inits?: Map<Serial, PinnedProcess>;
}

/**
 * A machine whose kernel is made of tables: journals are real files in a directory of its own, cgroups and /proc are
 * memfs trees, the launcher starts processes that are only listed there. An init that dies is told as the launcher would.
 */
export class FakeMachine implements Machine, Disposable {
  readonly directory: string;
  readonly instance: Machine['instance'];
  readonly store: Store;
  readonly events: Events;
  readonly locks = new Locks();
  readonly kernel = new FakeKernel();
  readonly tracer = new FakeTracer();
  readonly userLimits = USER_LIMITS;
  readonly cgroupfs: FakeCgroupfs;
  readonly files: FileAccess;
  readonly cgroupBase = `${MOUNT_POINT}/nsdir-x`;
  readonly hierarchy: Hierarchy;
  readonly census: Machine['census'];
  /** What was logged: level and message. */
  readonly logged: [level: string, message: string][] = [];
  readonly log: Log;
  /** What starts were asked for. */
  readonly starts: StartSpec[] = [];
  /** Stands in the way of a start: what it throws is the launcher's answer. */
  beforeStart: (spec: StartSpec) => void | Promise<void> = () => undefined;
  readonly launcher: Machine['launcher'] & { readonly inits: Map<Serial, PinnedProcess> };
  #nextPid = FIRST_PID;
  #nextUnique = 1;

  constructor({ directory, cgroupfs, inits = new Map(), ...options }: FakeMachineOptions = {}) {
    const restore = () => Promise.reject(new Error('this launcher restores nothing'));
    const bundle = () => Promise.reject(new Error('this launcher runs no bundles'));
    this.launcher = { start: (spec: StartSpec) => this.#start(spec), restore, bundle, inits };
    this.directory = directory ?? mkdtempSync(path.join(tmpdir(), 'nsdir-unit-'));
    this.instance = {
      id: 'x',
      mountPoint: '/namespaces',
      runDir: this.directory,
      stateDir: this.directory,
      cgroupName: 'nsdir-x',
    };
    const journal = Journal.open<Commit>(`${this.directory}/journal`);
    this.store = new Store(journal.journal, journal.entries);
    this.events = Events.open(`${this.directory}/events`);
    this.cgroupfs = cgroupfs ?? new FakeCgroupfs(options);
    this.cgroupfs.cgroup(this.cgroupBase);
    this.cgroupfs.volume.mkdirSync('/proc/self/ns', { recursive: true });
    const { files } = this.cgroupfs;
    this.files = {
      ...files,
      readFileSync: (file, encoding) => this.#cgroupText(file) ?? files.readFileSync(file, encoding),
      writeFileSync: (file, data) => {
        files.writeFileSync(file, data);
        this.#reap();
      },
    };
    const controllers = options.controllers ?? [];
    const layout = controllers.length > 0 ? 'unified' : 'hybrid';
    this.hierarchy = { mountPoint: MOUNT_POINT, root: '/', layout, controllers, canKill: true, canFreeze: true };
    this.census = createCensusTaker(this.files);
    const note = (level: string) => (_: unknown, message?: string) => void this.logged.push([level, message ?? '']);
    this.log = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, note(level)])) as never;
    this.kernel.onSignal = (pid, signal) => {
      if (signal === SIGKILL) this.kill(checkedPid(pid));
    };
    for (const pid of this.cgroupfs.processes.keys()) {
      this.kernel.processes.add(pid);
      this.#nextPid = Math.max(this.#nextPid, pid + 1);
    }
  }

  cgroupOf = (container: Container): string =>
    containerPath(
      this.cgroupBase,
      chainOf(container).map(({ serial }) => serial),
    );

  found: Discoverer = NO_DISCOVERY;

  declaredOf = (cgroups: string): Container => {
    const serials = serialsOf(cgroups, '/nsdir-x') ?? [];
    const { registry } = this.store;
    return serials.map((serial) => registry.get(serial)).findLast((known) => known !== undefined) ?? registry.root;
  };

  inodeOf({ serial }: Container): number {
    return directoryId(serial);
  }

  containerOf = (pid: Pid): Container | undefined => {
    const { registry } = this.store;
    const directory = this.cgroupfs.processes.get(pid);
    if (directory === undefined) return undefined;
    const serials = serialsOf(`0::${directory.slice(MOUNT_POINT.length)}`, '/nsdir-x') ?? [];
    return serials.map((serial) => registry.get(serial)).findLast((found) => found !== undefined) ?? registry.root;
  };

  /** A request nobody sent before, by root unless said otherwise. */
  request(given: Partial<Omit<Request, 'caller'>> & Partial<Request['caller']> = {}): Request {
    const { pid = checkedPid(1), uid = 0, gid = 0, ...rest } = given;
    return { caller: { pid, uid, gid }, unique: this.#nextUnique++, resent: false, ...rest };
  }

  /** The container at this path below the mount point; what is missing is made. */
  container(at: string): Container {
    let found = this.store.registry.root;
    for (const name of at.split('/')) {
      found = found.children.get(name) ?? make(this, found, name, 0o755, this.request());
    }
    return found;
  }

  /** A process that lives in the container itself, or in a cgroup directory of its own. */
  spawn(where: Container | string, given: Partial<FakeProcess> = {}): Pid {
    const pid = checkedPid(given.pid ?? this.#nextPid++);
    const directory = typeof where === 'string' ? where : `${this.cgroupOf(where)}/${OWN_LEAF}`;
    this.cgroupfs.cgroup(directory, pid);
    this.kernel.processes.add(pid);
    addProcess(this.cgroupfs.volume, { ns: OWN_NAMESPACES, ...given, pid });
    return pid;
  }

  /** The process is dead and gone; if it was an init, the daemon is told. */
  kill(pid: Pid): void {
    this.cgroupfs.processes.delete(pid);
    this.#reap();
  }

  /** The process is dead and gone, at a moment when there is no daemon to hear of it. */
  killUnheard(pid: Pid): void {
    this.cgroupfs.processes.delete(pid);
    this.#bury(pid);
    for (const [serial, init] of this.launcher.inits) if (init.pid === pid) this.launcher.inits.delete(serial);
  }

  /** The names of events so far, each with the path it was about. */
  get happened(): string[] {
    const lines = this.events.textSince(this.store.registry.root.serial, 0, AS_ROOT).split('\n').slice(0, -1);
    return lines.map((line) => line.split('\t').slice(1).join(' '));
  }

  /** The daemon dies, another one opens what is left; this one is not to be used any more. */
  nextDaemon(): FakeMachine {
    return new FakeMachine({ directory: this.directory, cgroupfs: this.cgroupfs, inits: this.launcher.inits });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** What /proc/PID/cgroup says of a process that is in a cgroup. */
  #cgroupText(file: string): string | undefined {
    const pid = /^\/proc\/(\d+)\/cgroup$/.exec(file)?.[1];
    const directory = pid === undefined ? undefined : this.cgroupfs.processes.get(Number(pid));
    return directory === undefined ? undefined : `0::${directory.slice(MOUNT_POINT.length) || '/'}\n`;
  }

  async #start(spec: StartSpec): Promise<PinnedProcess> {
    this.starts.push(spec);
    await this.beforeStart(spec);
    const startTime = 7;
    const pid = this.spawn(spec.cgroupDir, { comm: 'nsdir-init', starttime: startTime });
    this.launcher.inits.set(spec.serial, { pid, startTime });
    return { pid, startTime };
  }

  #reap(): void {
    for (const pid of this.kernel.processes) {
      if (this.cgroupfs.processes.has(pid)) continue;
      this.#bury(pid);
      for (const [serial, init] of this.launcher.inits) {
        if (init.pid !== pid) continue;
        this.launcher.inits.delete(serial);
        void initExited(this, serial, init.pid, KILLED);
      }
    }
  }

  #bury(pid: number): void {
    this.kernel.processes.delete(pid);
    this.cgroupfs.volume.rmSync(`/proc/${pid}`, { recursive: true, force: true });
  }
}
