import * as fs from 'node:fs';
import path from 'node:path';
import { createBase } from '../cgroup/controllers.ts';
import { findHierarchy, pathInHierarchy } from '../cgroup/hierarchy.ts';
import { containerPath, serialsOf } from '../cgroup/paths.ts';
import { readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';
import { runFiles, type Instance } from '../instance.ts';
import { Journal } from '../journal/journal.ts';
import { linuxKernel } from '../kernel/linux.ts';
import { Tracers } from '../kernel/tracers.ts';
import type { Log } from '../log.ts';
import { createCensusTaker } from '../proc/census.ts';
import { readStat } from '../proc/process.ts';
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
import { Store } from './store.ts';

export interface OpenOptions {
  readonly instance: Instance;
  readonly log: Log;
  /** Absolute path of the static init and launcher. */
  readonly initBinary: string;
  /** Whether sets of namespaces that others make are containers too. */
  readonly discover: boolean;
  /** Inode number of a container's directory. */
  readonly inodeOf: (container: Container) => number;
}

/** pid_namespaces(7) */
const MACHINE_INIT = 1 as Pid;

/** Opens the doors: journal, cgroups, launcher. The registry is as the journal has it; `recover` compares it with the kernel. */
export async function openMachine(
  options: OpenOptions,
): Promise<Machine & { readonly discovery: Discovery | undefined }> {
  const { instance, log, initBinary, inodeOf } = options;
  const paths = runFiles(instance);
  for (const directory of [instance.runDir, instance.stateDir]) {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  installProgram(instance.stateDir, initBinary);
  const hierarchy = findHierarchy(fs);
  const cgroupBase = path.join(hierarchy.mountPoint, instance.cgroupName);
  const basePath = pathInHierarchy(hierarchy, cgroupBase);
  createBase(fs, hierarchy, cgroupBase);
  const events = Events.open(paths.events);
  const store = openStore(paths.journal, events, log);
  const { registry } = store;
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

  const kernel = linuxKernel();
  const declaredOf = (text: string): Container => {
    const serials = serialsOf(text, basePath) ?? [];
    const known = serials.map((serial) => registry.get(serial)).filter((container) => container !== undefined);
    return known.findLast(({ found }) => found === undefined) ?? registry.root;
  };
  const discovery = options.discover ? new Discovery({ files: fs, kernel, store, events, log, declaredOf }) : undefined;
  const machine = {
    instance,
    store,
    events,
    locks: new Locks(),
    launcher,
    kernel,
    tracer: new Tracers(initBinary),
    files: fs,
    log,
    hierarchy,
    cgroupBase,
    cgroupOf: (container: Container) =>
      containerPath(
        cgroupBase,
        chainOf(container).map(({ serial }) => serial),
      ),
    inodeOf,
    containerOf: (pid: Pid) => {
      const text = readIfThere(fs, `/proc/${pid}/cgroup`);
      if (text === undefined) return undefined;
      const declared = declaredOf(text);
      return discovery?.within(pid, declared) ?? declared;
    },
    declaredOf,
    found: discovery ?? NO_DISCOVERY,
    discovery,
    census: createCensusTaker(fs),
  };
  opened(machine);
  return machine;
}

function openStore(file: string, events: Events, log: Log): Store {
  const { journal, entries, tornBytes } = Journal.open<Commit>(file);
  if (tornBytes > 0) log.warn({ file, tornBytes }, 'the journal was torn; read up to the tear');
  tellMissed(entries, events);
  return new Store(journal, entries, tornBytes > 0);
}
