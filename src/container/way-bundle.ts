import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { createCgroup } from '../cgroup/cgroup.ts';
import { pathInHierarchy } from '../cgroup/hierarchy.ts';
import { kill } from '../cgroup/kill.ts';
import { ownLeaf, startLeaf } from '../cgroup/paths.ts';
import { removeCgroup } from '../cgroup/remove.ts';
import { waitUntil } from '../cgroup/wait.ts';
import { FsError } from '../errno.ts';
import { readIfThere, type FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { stateFiles } from '../instance.ts';
import { adaptConfig, type Adapted } from '../oci/config.ts';
import { deleteCommand, errorIn, findRuntime, lastLine, runCommand, sizeOf } from '../oci/runtime.ts';
import { OWN_UID } from '../own-user.ts';
import { bundleDirectory, bundlePlace } from './bundle-place.ts';
import { pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';
import { giveOutput } from './output.ts';
import type { Way } from './way.ts';

/** A start by a runtime takes some 0.1 s; with the bundle's hooks it may be more. */
const BUNDLE_START_LIMIT_MS = 30_000;

/** How long a runtime, with a bundle's hooks, may take to forget a container that has ended. */
const BUNDLE_END_LIMIT_MS = 10_000;

/** The runtime is done a moment before the process it made goes on as the bundle's program. */
const EXECUTE_WAIT_MS = 500;

/** Bytes of a config.json; a longer one is refused. */
const CONFIG_LIMIT_BYTES = 4 << 20;

/** Reading it takes no time; what takes this long is a bundle that nobody serves. */
const CONFIG_READ_LIMIT_MS = 5_000;

const run = promisify(execFile);

/** An OCI bundle, by the machine's runtime: the init is the bundle's own process. */
export const byBundle: Way = {
  isOf: ({ bundle }) => bundle !== undefined,
  isInitOurs: false,
  refuse(_machine, container, { outer, kinds, owner }, what) {
    if (owner) {
      throw new FsError('EPERM', `Cannot ${what}: a bundle's runtime needs root; let root own it (chown root)`);
    }
    if (OWN_UID !== 0) {
      throw new FsError('EPERM', `Cannot ${what}: a bundle's runtime needs root; start it in root's tree`);
    }
    if (outer) {
      throw new FsError('EBUSY', `Cannot ${what}: a bundle does not start in "${pathOf(outer)}" while that runs`);
    }
    if (kinds !== undefined || (container.phase === 'declared' && container.kinds !== undefined)) {
      throw new FsError('EINVAL', `Cannot ${what}: the namespaces of a bundle are those that its config.json names`);
    }
  },
  async begin(machine, container, { signal }) {
    const { instance, launcher, cgroupOf, files, hierarchy } = machine;
    const directory = cgroupOf(container);
    const bundle = bundleDirectory(machine, container);
    const runtime = findRuntime();
    const place = bundlePlace(instance, container.serial);
    const { output } = stateFiles(instance, container.serial);
    giveOutput(output);
    const said = sizeOf(output);
    await forget(machine, container);
    await mkdir(place.dir, { recursive: true, mode: 0o700 });
    const adapted = await adapt(bundle, pathInHierarchy(hierarchy, ownLeaf(directory)));
    if (adapted) await writeFile(place.config, adapted.text, { mode: 0o600 });
    createCgroup(files, startLeaf(directory));
    try {
      const init = await launcher.bundle(
        {
          serial: container.serial,
          hostname: container.name,
          cgroupDir: startLeaf(directory),
          hierarchy: hierarchy.mountPoint,
          bundle,
          workDir: place.dir,
          output,
          command: runCommand(runtime, place, bundle, place.id),
        },
        {
          signal,
          limitMs: BUNDLE_START_LIMIT_MS,
          cancel: () => {
            for (const leaf of [startLeaf(directory), ownLeaf(directory)]) void kill(machine, leaf, { limitMs: 0 });
          },
        },
      );
      await removeCgroup(files, startLeaf(directory));
      await waitUntil(() => !isRuntime(files, init.pid), EXECUTE_WAIT_MS, signal);
      return { init, kinds: adapted?.kinds ?? [] };
    } catch (error) {
      const why = errorIn(place.log) ?? lastLine(output, said);
      if (!(error instanceof FsError) || why === undefined) throw error;
      const errno = error.errno === 'ECANCELED' ? 'EIO' : error.errno;
      throw new FsError(errno, `Cannot start "${container.name}": ${path.basename(runtime.program)}: ${why}`, {
        cause: error,
      });
    }
  },
  isInit: (files, pid) => /^NSpid:(?:\s+\d+)*\s+1$/m.test(readIfThere(files, `/proc/${pid}/status`) ?? ''),
  async ended(machine, container) {
    try {
      await forget(machine, container);
    } catch (cause) {
      machine.log.warn({ container: container.serial, err: cause }, 'the runtime of a bundle cannot forget it');
    }
  },
};

/** Whether the process is still the runtime's own part of it (`runc:[2:INIT]`). */
function isRuntime(files: FileAccess, pid: Pid): boolean {
  return /^(?:runc:\[|crun)/.test(readIfThere(files, `/proc/${pid}/comm`) ?? '');
}

/** Its config.json as it is run here; `undefined` if it cannot be read or is none, of which the runtime will say more. */
async function adapt(bundle: string, cgroupsPath: string): Promise<Adapted | undefined> {
  const file = path.join(bundle, 'config.json');
  // By a child: whoever serves that directory may never answer.
  const read = run('head', ['-c', String(CONFIG_LIMIT_BYTES + 1), '--', file], {
    timeout: CONFIG_READ_LIMIT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: CONFIG_LIMIT_BYTES + 2,
  });
  const text = await read.then(
    ({ stdout }) => stdout,
    () => undefined,
  );
  if (text === undefined) return undefined;
  if (text.length > CONFIG_LIMIT_BYTES) {
    throw new FsError('EFBIG', `${file} has more than ${CONFIG_LIMIT_BYTES} bytes`);
  }
  return adaptConfig(text, cgroupsPath);
}

/** Has the runtime forget the container, with the hooks of its end, and removes what it kept. */
async function forget({ instance, files, hierarchy, log }: Machine, { serial }: Container): Promise<void> {
  const place = bundlePlace(instance, serial);
  if (!files.existsSync(place.dir)) return;
  try {
    if (files.existsSync(path.join(place.root, place.id))) {
      const inside = 'mount --bind "$0" /sys/fs/cgroup && exec "$@"';
      const command = deleteCommand(findRuntime(), place, place.id);
      await run(
        'unshare',
        ['--mount', '--propagation', 'private', 'sh', '-c', inside, hierarchy.mountPoint, ...command],
        { timeout: BUNDLE_END_LIMIT_MS, killSignal: 'SIGKILL', cwd: '/' },
      );
    }
  } catch (cause) {
    log.warn({ container: serial, why: errorIn(place.log), err: cause }, 'a runtime cannot end what it began');
  }
  await rm(place.dir, { recursive: true, force: true });
}
