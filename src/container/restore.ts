import os from 'node:os';
import { closeSync, constants, openSync } from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { arch, release } from 'node:os';
import path from 'node:path';
import { cpuArguments, CPU_LOG, RESTORE_LOG } from '../checkpoint/arguments.ts';
import { CPU_LIMIT_MS, explain, findCriu, givenLimitMs, runCriu } from '../checkpoint/criu.ts';
import { CPU_IMAGE, KNOWN } from '../checkpoint/criu-facts.ts';
import {
  FILES_IMAGE,
  filesIn,
  machineMountsIn,
  remappedIn,
  REMAP_IMAGE,
  rewriteFiles,
} from '../checkpoint/files-image.ts';
import { verifyImages } from '../checkpoint/hashes.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { ownProcesses } from '../cgroup/cgroup.ts';
import { freeze } from '../cgroup/freeze.ts';
import { kill } from '../cgroup/kill.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import { FsError } from '../errno.ts';
import { stateFiles } from '../instance.ts';
import { pin, signalPinned } from '../proc/pinned.ts';
import { now } from '../time.ts';
import { chainOf, frozenBy, pathOf, type Container } from './container.ts';
import type { ImagePlace } from './images.ts';
import type { Machine } from './machine.ts';
import { giveOutput } from './output.ts';
import { isOfUser } from './owner.ts';
import { programFile } from './program.ts';
import { readyCriu, type ReadyCriu } from './ready-criu.ts';
import { restoreCommand } from './restore-command.ts';
import { discardCgroups, nearestRunning, prepareCgroups } from './start.ts';
import { connectVeths } from './veths.ts';

/** 512 MB take less than a second; what takes this long hangs, and is killed with all it has made. */
const RESTORE_LIMIT_MS = 120_000;

/** NSDIR_RESTORE_LIMIT_MS sets another limit. */
function restoreLimitMs(): number {
  return givenLimitMs(process.env['NSDIR_RESTORE_LIMIT_MS'], RESTORE_LIMIT_MS);
}

/** What mounts of the machine's file systems are called (`externalMounts`), before their number. */
const DISK = 'disk';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;

export interface Arrived {
  readonly place: ImagePlace;
  readonly manifest: Manifest;
  /** It was frozen, and is to be so again. */
  readonly frozen: boolean;
  readonly acceptChangedFiles?: boolean;
  readonly unique?: number;
}

/**
 * Makes a container that never started run on from where it was saved. Throws EPERM, EBUSY, or EIO with what is wrong with
 * the images or the machine; then nothing was started, and the images are as they were.
 */
export async function restore(machine: Machine, container: Container, uid: number, arrived: Arrived): Promise<void> {
  const what = `restore "${pathOf(container)}"`;
  await machine.locks.hold(container, what, async () => {
    refuse(machine, container, uid, what);
    try {
      await findCriu();
      checkMachine(arrived.manifest);
      const [ready] = await Promise.all([readyCriu(machine), verifyImages(arrived.place.images, arrived.manifest)]);
      const images = await prepareImages(machine, container, arrived);
      await checkCpu(ready, images, arrived.place);
      await copyFile(ready.known, path.join(arrived.place.work, KNOWN)).catch(() => undefined);
      await run(machine, container, ready, { ...arrived, images });
      await rm(images, { recursive: true, force: true });
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      throw new FsError(error.errno, `Cannot ${what}: ${error.message}`, { cause: error });
    }
  });
}

function refuse({ store }: Machine, container: Container, uid: number, what: string): void {
  if (!store.registry.get(container.serial)) throw new FsError('ENOENT', `Cannot ${what}: it is gone`);
  if (container.uid !== 0 || uid !== 0) {
    throw new FsError('EPERM', `Cannot ${what}: images are memory, and only root restores them, as root's container`);
  }
  const outer = nearestRunning(container);
  if (outer && isOfUser(outer)) {
    throw new FsError(
      'EPERM',
      `Cannot ${what}: it is in "${pathOf(outer)}", which runs with a user namespace; move it out of there`,
    );
  }
  if (container.phase !== 'declared') throw new FsError('EBUSY', `Cannot ${what}: it is ${container.phase}`);
  const frozen = frozenBy(container);
  if (frozen) {
    throw new FsError('EBUSY', `Cannot ${what}: "${pathOf(frozen)}" is frozen; write running to its .state first`);
  }
}

/** CRIU itself would find out only when it is too late to say why. */
function checkMachine({ arch: itsArch, kernel, criu }: Manifest): void {
  if (itsArch !== arch()) throw new FsError('EIO', `it was saved on ${itsArch}, and this machine is ${arch()}`);
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part));
  const [itsMajor = 0, itsMinor = 0] = kernel.split('.').map((part) => Number.parseInt(part));
  if (itsMajor > major || (itsMajor === major && itsMinor > minor)) {
    throw new FsError(
      'EIO',
      `it was saved on Linux ${kernel} by CRIU ${criu}, and this is ${release()}, which is older`,
    );
  }
}

/** An image that says of its cpu what criu says of this one needs no check by criu. */
async function checkCpu({ criu, runner, known, cpu }: ReadyCriu, images: string, { work }: ImagePlace): Promise<void> {
  const saved = await readFile(path.join(images, CPU_IMAGE)).catch(() => undefined);
  if (saved?.equals(cpu)) return;
  const command = [criu.program, ...cpuArguments('check', images, work)];
  try {
    await runCriu({ command, runner, known, workDir: work, log: CPU_LOG, limitMs: CPU_LIMIT_MS });
  } catch (cause) {
    throw new FsError('EIO', `this machine’s cpu is not like that it was saved on: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** A directory of hard links to the images, but for that of files, whose paths are to be this container's. */
async function prepareImages(machine: Machine, container: Container, arrived: Arrived): Promise<string> {
  const { place, manifest } = arrived;
  const { instance } = machine;
  const directory = path.join(place.work, 'images');
  await rm(place.work, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const { name } of manifest.images) {
    if (name !== FILES_IMAGE) await link(path.join(place.images, name), path.join(directory, name));
  }
  if (!manifest.images.some(({ name }) => name === FILES_IMAGE)) throw new FsError('EIO', `there is no ${FILES_IMAGE}`);
  const image = await readFile(path.join(place.images, FILES_IMAGE));
  const mounts = await machineMounts(place.images);
  const remaps = await readFile(path.join(place.images, REMAP_IMAGE)).catch(() => undefined);
  const changed = await changedFiles(image, mounts, manifest, remaps ? remappedIn(remaps) : new Set());
  if (changed.length > 0 && arrived.acceptChangedFiles !== true) {
    throw new FsError(
      'EIO',
      `these files are not as it left them: ${changed.join(', ')}; put them back, or go on with them as they are: ` +
        'nsdir restore --accept-changed-files',
    );
  }
  const { output } = stateFiles(instance, container.serial);
  giveOutput(output);
  closeSync(openSync(output, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600));
  const rewritten = rewriteFiles(image, {
    rename: (file) => (file === manifest.output ? output : file),
    ignoreSize: () => arrived.acceptChangedFiles === true,
    // Who unpacks gives directories of the tree their mode last.
    ignoreMode: ({ mountId }) => mounts.get(mountId) === 'tree',
  });
  await writeFile(path.join(directory, FILES_IMAGE), rewritten, { mode: 0o600 });
  return directory;
}

/** Mounts that are the machine's, by number, with the name by which criu is told of them; none for the root. */
async function machineMounts(imagesDir: string): Promise<Map<number, string | undefined>> {
  const names = (await readdir(imagesDir)).filter((name) => name.startsWith('mountpoints-'));
  const images = await Promise.all(names.map((name) => readFile(path.join(imagesDir, name))));
  return new Map(images.flatMap((image) => machineMountsIn(image).map(({ id, key }) => [id, key] as const)));
}

/** Files of the machine's disks that are missing, or have another size than when they were open or mapped. */
async function changedFiles(
  image: Buffer,
  mounts: ReadonlyMap<number, string | undefined>,
  manifest: Manifest,
  remapped: ReadonlySet<number>,
): Promise<string[]> {
  const isDisk = (id: number) => mounts.has(id) && (mounts.get(id)?.startsWith(DISK) ?? true);
  const changed: string[] = [];
  for (const { id, path: file, mountId, size } of filesIn(image)) {
    if (size === undefined || !isDisk(mountId) || file === manifest.output || remapped.has(id)) continue;
    const found = await stat(onMachine(manifest, file, mounts.get(mountId))).catch(() => undefined);
    if (!found) changed.push(`${file} (gone)`);
    else if (found.size !== size) changed.push(`${file} (${found.size} bytes, were ${size})`);
  }
  return [...new Set(changed)];
}

/** The path by which the machine has a file of the container, on its root or on the mount called `key`. */
function onMachine({ bundle, mounts }: Manifest, file: string, key: string | undefined): string {
  if (!bundle) return file;
  if (key === undefined) return path.join(bundle.root, file);
  const index = Number(key.slice(DISK.length));
  return path.join(bundle.sources[index] ?? '/', path.relative(mounts[index] ?? '/', file));
}

type Prepared = Arrived & { readonly images: string };

async function run(machine: Machine, container: Container, { criu }: ReadyCriu, arrived: Prepared): Promise<void> {
  const { instance, store, events, launcher, files } = machine;
  const { manifest, place, frozen, unique } = arrived;
  const { bundle, veths = [] } = manifest;
  const program = bundle ? undefined : programFile(instance.stateDir, manifest.program);
  await stat(program ?? bundle?.root ?? '/').catch((cause: unknown) => {
    const lacks = bundle ? `there is no ${bundle.root}` : `it runs another version's init, ${manifest.program}`;
    throw new FsError('EIO', `${lacks}; ${bundle ? 'put its bundle back' : 'use that nsdir'}`, { cause });
  });
  const parent = nearestRunning(container)?.init;
  const directory = machine.cgroupOf(container);
  const leaf = ownLeaf(directory);
  const begun = now();
  try {
    await prepareCgroups(machine, container, undefined);
    const init = await launcher.restore(
      {
        serial: container.serial,
        cgroupDir: leaf,
        hostname: container.name,
        parentInit: parent?.pid ?? 0,
        parentStartTime: parent?.startTime,
        mountPoint: instance.mountPoint,
        path: chainOf(container)
          .map(({ name }) => name)
          .join('/'),
        inode: machine.inodeOf(container),
        workDir: place.work,
        root: bundle?.root ?? '/',
        output: bundle && stateFiles(instance, container.serial).output,
        command: restoreCommand(criu, {
          manifest,
          imagesDir: arrived.images,
          workDir: place.work,
          program,
          frozen,
        }),
      },
      restoreLimitMs(),
      () => void kill(machine, leaf, { limitMs: 0 }),
    );
    await connectVeths(veths);
    if (frozen) {
      await freeze(files, directory);
      // From its stop it goes on only when it is thawed.
      for (const pid of ownProcesses(files, leaf)) {
        const found = pin(files, pid);
        if (found) signalPinned(machine, found, os.constants.signals.SIGCONT);
      }
    }
    store.commit(
      [
        ...(bundle ? [{ op: 'bundle', serial: container.serial, bundle: bundle.path, at: begun } as const] : []),
        { op: 'start', serial: container.serial, init, kinds: manifest.kinds, at: begun },
        ...(frozen ? [{ op: 'phase', serial: container.serial, phase: 'frozen', at: begun } as const] : []),
      ],
      unique,
    );
  } catch (error) {
    await discardCgroups(machine, container);
    if (!(error instanceof FsError)) throw error;
    const why = explain(place.work, RESTORE_LOG);
    throw why === undefined ? error : new FsError(error.errno, `criu: ${why}`, { cause: error });
  }
  events.emit(container, 'restored');
}
