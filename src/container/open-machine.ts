import * as fs from 'node:fs';
import path from 'node:path';
import { createBase } from '../cgroup/controllers.ts';
import { findHierarchy, pathInHierarchy } from '../cgroup/hierarchy.ts';
import { containerPath, ownLeaf, serialsOf } from '../cgroup/paths.ts';
import { readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';
import { instanceFor, NO_CGROUP, runFiles, type Instance } from '../instance.ts';
import { keptText } from '../kept-text.ts';
import { Journal } from '../journal/journal.ts';
import { linuxKernel } from '../kernel/linux.ts';
import { Tracers } from '../kernel/tracers.ts';
import type { Log } from '../log.ts';
import { isNamespaceKind } from '../namespaces.ts';
import { createCensusTaker } from '../proc/census.ts';
import { readStat } from '../proc/process.ts';
import { subordinateEnvironment } from '../proc/subordinate-ids.ts';
import type { Commit } from './change.ts';
import { chainOf, isLive, subtree, type Container } from './container.ts';
import { Discovery } from './discovery.ts';
import { Events } from './events.ts';
import { NO_DISCOVERY } from './found.ts';
import { Launcher } from './launcher.ts';
import { initExited, watchUntilEmpty } from './life.ts';
import { Locks } from './locks.ts';
import { installProgram } from './program.ts';
import { tellMissed } from './missed-event.ts';
import type { Machine } from './machine.ts';
import { NamespaceGroups, type Placing } from './namespace-groups.ts';
import type { Registry } from './registry.ts';
import { Store } from './store.ts';
import type { UserLimits } from './user-limits.ts';
import { OWN_UID } from '../own-user.ts';

export interface OpenOptions {
  readonly instance: Instance;
  readonly log: Log;
  /** Absolute path of the static init and launcher. */
  readonly initBinary: string;
  /** Whether sets of namespaces that others make are containers too. */
  readonly discover: boolean;
  /** Inode number of a container's directory. */
  readonly inodeOf: (container: Container) => number;
  readonly userLimits: UserLimits;
}

/** Directory that stands for the daemon's cgroup where there is none. */
const GROUPS_BASE = 'containers';

/** Search, and no listing, for all but root. */
const STATE_MODE = 0o711;

/** pid_namespaces(7) */
const MACHINE_INIT = 1 as Pid;

/** Opens the doors: journal, cgroups, launcher. The registry is as the journal has it; `recover` compares it with the kernel. */
export async function openMachine(
  options: OpenOptions,
): Promise<Machine & { readonly discovery: Discovery | undefined }> {
  const { instance, log, initBinary, inodeOf } = options;
  const paths = runFiles(instance);
  fs.mkdirSync(instance.runDir, { recursive: true, mode: 0o700 });
  makeStateDirectory(instance.stateDir);
  installProgram(instance.stateDir, initBinary);
  const kernel = linuxKernel();
  const groups = instance.cgroupName === NO_CGROUP ? new NamespaceGroups(paths.groups, kernel) : undefined;
  if (groups) fs.mkdirSync(paths.groups, { recursive: true, mode: 0o700 });
  const files = groups ?? fs;
  const hierarchy = groups?.hierarchy ?? findHierarchy(fs);
  const cgroupBase = path.join(hierarchy.mountPoint, groups ? GROUPS_BASE : instance.cgroupName);
  const basePath = pathInHierarchy(hierarchy, cgroupBase);
  createBase(files, hierarchy, cgroupBase);
  const events = Events.open(paths.events);
  const store = openStore(paths.journal, events, log);
  const { registry } = store;
  registry.root.uid = OWN_UID;
  registry.root.gid = process.getgid?.() ?? 0;
  // The machine's own init: of the pid namespace that /proc is of.
  const init = readStat(fs, MACHINE_INIT);
  if (init) registry.root.init = { pid: MACHINE_INIT, startTime: init.starttime };

  let opened: (machine: Machine) => void = () => undefined;
  const ready = new Promise<Machine>((resolve) => {
    opened = resolve;
  });
  const launcher = await Launcher.open({
    binary: initBinary,
    socket: paths.launcherSocket,
    pidFile: paths.launcherPid,
    environment: subordinateEnvironment(fs),
    log,
    onExit: async (serial, pid, status) => {
      const code = 'code' in status ? status.code : 128 + status.signal;
      await initExited(await ready, serial, pid, code);
    },
    onLost: () => {
      void ready.then((machine) => {
        for (const container of subtree(registry.root)) {
          if (container.parent && !container.found && isLive(container)) watchUntilEmpty(machine, container);
        }
      });
    },
  });

  const cgroupOf = (container: Container) =>
    containerPath(
      cgroupBase,
      chainOf(container).map(({ serial }) => serial),
    );
  groups?.placedBy(placingOf(registry, cgroupOf));
  const declaredOf = (text: string): Container => {
    const serials = serialsOf(text, basePath) ?? [];
    const known = serials.map((serial) => registry.get(serial)).filter((container) => container !== undefined);
    return known.findLast(({ found }) => found === undefined) ?? registry.root;
  };
  const discovery = options.discover ? new Discovery({ files, kernel, store, events, log, declaredOf }) : undefined;
  const ownCgroups = keptText('/proc/self/cgroup');
  const machine = {
    instance,
    store,
    events,
    locks: new Locks(),
    launcher,
    kernel,
    tracer: new Tracers(initBinary),
    files,
    log,
    hierarchy,
    cgroupBase,
    cgroupOf,
    inodeOf,
    containerOf: (pid: Pid) => {
      const text = pid === process.pid && !groups ? ownCgroups() : readIfThere(files, `/proc/${pid}/cgroup`);
      if (text === undefined) return undefined;
      const declared = declaredOf(text);
      return discovery?.within(pid, declared) ?? declared;
    },
    declaredOf,
    found: discovery ?? NO_DISCOVERY,
    discovery,
    census: createCensusTaker(fs),
    userLimits: options.userLimits,
  };
  opened(machine);
  return machine;
}

/**
 * Root's is not to be listed, but to be passed: users reach what is theirs in it, the sockets of their inits and the output of
 * their commands. Another user's is his alone.
 */
function makeStateDirectory(directory: string): void {
  if (OWN_UID !== 0) {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    return;
  }
  fs.mkdirSync(directory, { recursive: true, mode: STATE_MODE });
  fs.chmodSync(directory, STATE_MODE);
  const { stateDir } = instanceFor();
  if (path.dirname(directory) === path.dirname(stateDir)) fs.chmodSync(path.dirname(directory), STATE_MODE);
}

/** Who is where, as far as the registry knows. */
function placingOf(registry: Registry, cgroupOf: (container: Container) => string): Placing {
  return {
    *inits() {
      for (const container of subtree(registry.root)) {
        const { init, parent, found } = container;
        if (init && parent && !found) yield { ...init, directory: ownLeaf(cgroupOf(container)) };
      }
    },
    *entered() {
      for (const { pid, startTime, by, container } of registry.entered.values()) {
        if (!isNamespaceKind(by)) yield { pid, startTime, directory: ownLeaf(cgroupOf(container)) };
      }
    },
  };
}

function openStore(file: string, events: Events, log: Log): Store {
  const { journal, entries, tornBytes } = Journal.open<Commit>(file);
  if (tornBytes > 0) log.warn({ file, tornBytes }, 'the journal was torn; read up to the tear');
  tellMissed(entries, events);
  return new Store(journal, entries, tornBytes > 0);
}
