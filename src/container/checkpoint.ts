import { writeFile } from 'node:fs/promises';
import { arch, release } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dumpArguments, DUMP_LOG, externalMounts, type Surroundings } from '../checkpoint/arguments.ts';
import { findCriu, givenLimitMs, runCriu } from '../checkpoint/criu.ts';
import { CPU_IMAGE } from '../checkpoint/criu-facts.ts';
import { describeImages, PIECE_BYTES } from '../checkpoint/hashes.ts';
import { encodeManifest, MANIFEST, type SavedBundle, type SavedVeth } from '../checkpoint/manifest.ts';
import { processes } from '../cgroup/cgroup.ts';
import { isAskedToFreeze, freeze, thaw } from '../cgroup/freeze.ts';
import { writeKnob } from '../cgroup/knob.ts';
import { ownLeaf } from '../cgroup/paths.ts';
import { FsError } from '../errno.ts';
import { readIfThere } from '../files.ts';
import { pid as checkedPid, type Pid, type Serial } from '../ids.ts';
import { stateFiles } from '../instance.ts';
import { readStat } from '../proc/process.ts';
import { contains, frozenBy, isLive, pathOf, subtree, type Container } from './container.ts';
import { isFull, makeImagePlace, type ImagePlace } from './images.ts';
import type { Machine } from './machine.ts';
import { pressCriu } from './late-criu.ts';
import { preflight } from './preflight.ts';
import { standingOf } from './standing.ts';
import { requireThere } from './still-there.ts';
import { whatItHas } from './surroundings.ts';
import { unlockNetwork } from './unlock-network.ts';
import { vethsOf } from './veths.ts';
import { currentProgram } from './program.ts';
import { readyCriu, type ReadyCriu } from './ready-criu.ts';
import { OWN_UID } from '../own-user.ts';

/** A dump of 512 MB takes 2 s; one that takes this long is ended. */
const DUMP_LIMIT_MS = 600_000;

/** NSDIR_DUMP_LIMIT_MS sets another limit. */
function dumpLimitMs(): number {
  return givenLimitMs(process.env['NSDIR_DUMP_LIMIT_MS'], DUMP_LIMIT_MS);
}

export interface CheckpointOptions {
  readonly caller: Pid;
  /** Where the images of a container of the subtree go; the directory is made. */
  readonly placeFor: (container: Container) => string;
}

/**
 * Saves every running container of the subtree as it is at one moment, and lets all go on. Throws EIO where CRIU cannot,
 * with the reason, EBUSY where that may pass, ENOSPC; the containers then run on as before.
 */
export async function checkpoint(machine: Machine, top: Container, options: CheckpointOptions): Promise<Serial[]> {
  const what = `checkpoint "${pathOf(top)}"`;
  await findCriu();
  return await machine.locks.hold(top, what, async () => {
    requireThere(machine, top, what);
    const nodes = [...subtree(top)].filter(isLive);
    refuse(machine, top, what, options.caller);
    const ready = await readyCriu(machine);
    const veths = new Map<Container, SavedVeth[]>();
    for (const node of nodes) {
      await preflight(machine, node);
      veths.set(node, await vethsOf(machine, node));
    }
    const places = new Map<Container, ImagePlace>();
    for (const node of nodes) places.set(node, await makeImagePlace(options.placeFor(node)));
    const plans: Plan[] = [];
    await whileFrozen(machine, top, nodes, async () => {
      for (const node of nodes) {
        const place = places.get(node) as ImagePlace;
        const has = await whatItHas(machine, node);
        plans.push({ node, nested: isNested(node), place, ...has, veths: veths.get(node) ?? [] });
      }
      for (const plan of [...plans].reverse()) await dump(machine, ready, plan, what);
    });
    for (const plan of plans) await describe(machine, ready, plan);
    return nodes.map(({ serial }) => serial);
  });
}

/** As `checkpoint`, as far as that can be said without freezing anything. */
export async function checkCheckpoint(machine: Machine, top: Container, caller: Pid): Promise<void> {
  await findCriu();
  refuse(machine, top, `checkpoint "${pathOf(top)}"`, caller);
  for (const node of [...subtree(top)].filter(isLive)) {
    await preflight(machine, node);
    await vethsOf(machine, node);
  }
}

interface Plan {
  readonly node: Container;
  readonly nested: boolean;
  readonly place: ImagePlace;
  readonly surroundings: Surroundings;
  readonly bundle: SavedBundle | undefined;
  readonly veths: readonly SavedVeth[];
}

function refuse(machine: Machine, top: Container, what: string, caller: Pid): void {
  if (OWN_UID !== 0) {
    throw new FsError('EPERM', `Cannot ${what}: CRIU needs root; mount the tree as root to have checkpoints`);
  }
  if (!machine.store.registry.get(top.serial) || !isLive(top)) {
    throw new FsError('EIO', `Cannot ${what}: it does not run`);
  }
  const inside = [caller, process.pid as Pid].map((pid) => machine.containerOf(pid));
  if (!top.parent || inside.some((own) => own && contains(top, own))) {
    throw new FsError('EBUSY', `Cannot ${what}: who asks or the daemon lives in it; ask from outside`);
  }
  const frozen = frozenBy(top.parent);
  if (frozen) {
    throw new FsError('EBUSY', `Cannot ${what}: "${pathOf(frozen)}" is frozen; write running to its .state first`);
  }
}

function isNested(container: Container): boolean {
  for (let at = container.parent; at; at = at.parent) if (at.parent && at.init) return true;
  return false;
}

/**
 * Runs `body` while every process of the subtree stands still. They are stopped at one moment, then held container by
 * container, since criu has to be able to let those of one go on, under its control, while the others wait.
 */
async function whileFrozen(
  machine: Machine,
  top: Container,
  nodes: readonly Container[],
  body: () => Promise<void>,
): Promise<void> {
  const { files, store, log } = machine;
  const directories = nodes.map((node) => machine.cgroupOf(node));
  const asked = directories.filter((directory) => isAskedToFreeze(files, directory));
  const note = (moving: boolean) => {
    store.commit(
      nodes.filter(({ serial }) => store.registry.get(serial)).map(({ serial }) => ({ op: 'moving', serial, moving })),
    );
  };
  store.requireRoom(2 * nodes.length);
  note(true);
  try {
    await freezeAtGoodMoment(machine, top, asked.length > 0);
    try {
      for (const directory of directories) writeKnob(files, ownLeaf(directory), 'cgroup.freeze', '1');
      for (const directory of directories) writeKnob(files, directory, 'cgroup.freeze', '0');
      await body();
    } finally {
      for (const directory of asked) await freeze(files, directory).catch(logged(machine));
      for (const directory of directories) await thaw(files, ownLeaf(directory)).catch(logged(machine));
    }
  } finally {
    try {
      note(false);
    } catch (cause) {
      log.error({ container: top.serial, err: cause }, 'cannot write down that a checkpoint is over');
    }
  }
}

/**
 * A process that waits for a child it has just made to execute something (vfork(2)) cannot be got hold of while that child
 * stands still: then they all go on for a moment. EBUSY if there is always one.
 */
async function freezeAtGoodMoment(machine: Machine, top: Container, isFrozen: boolean): Promise<void> {
  const { files } = machine;
  const directory = machine.cgroupOf(top);
  for (let attempt = 1; ; attempt++) {
    await freeze(files, directory);
    const waiting = (await processes(files, directory)).find((pid) => readStat(files, pid)?.state === UNINTERRUPTIBLE);
    if (waiting === undefined) return;
    if (!isFrozen) await thaw(files, directory);
    if (isFrozen || attempt === MOMENTS_LIMIT) {
      const comm = readIfThere(files, `/proc/${waiting}/comm`)?.trim() ?? '?';
      throw new FsError(
        'EBUSY',
        `Cannot checkpoint "${pathOf(top)}": process ${waiting} (${comm}) waits for a child that is about to execute ` +
          `something; ${isFrozen ? 'thaw it, and ' : ''}try again`,
      );
    }
    await delay(attempt);
  }
}

/** State of a process that no signal reaches (proc_pid_stat(5)); one that is frozen is in `S`. */
const UNINTERRUPTIBLE = 'D';

/** How often another moment is looked for; each wait is a millisecond longer than the one before. */
const MOMENTS_LIMIT = 50;

function logged({ log }: Machine): (cause: unknown) => void {
  return (cause) => {
    log.error({ err: cause }, 'cannot let a container go on');
  };
}

async function dump(
  machine: Machine,
  { criu, runner, known }: ReadyCriu,
  { node, place, surroundings, bundle }: Plan,
  what: string,
): Promise<void> {
  const { init } = node;
  if (!init) throw new FsError('EIO', `Cannot ${what}: the init of "${pathOf(node)}" has ended`);
  const leaf = ownLeaf(machine.cgroupOf(node));
  const args = dumpArguments({
    init: init.pid,
    cgroupDir: leaf,
    imagesDir: place.images,
    workDir: place.work,
    mounts: externalMounts(surroundings),
    files: bundle?.files ?? [],
  });
  const dumped = { place, leaf, init, before: standingOf(machine.files, leaf, init.pid) };
  try {
    await runCriu({
      command: [criu.program, ...args],
      runner,
      known,
      workDir: place.work,
      log: DUMP_LOG,
      limitMs: dumpLimitMs(),
      press: (pid) => pressCriu(machine, checkedPid(pid), dumped),
      undo: () => unlockNetwork(machine, node.serial, init),
    });
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    machine.log.warn({ container: node.serial, why: error.message }, 'criu could not save a container');
    const full = /No space left on device/.test(error.message) || (await isFull(place));
    if (full) throw new FsError('ENOSPC', `Cannot ${what}: ${place.dir} has no room for its images; make some`);
    throw new FsError(error.errno, `Cannot ${what}: criu: ${error.message}`, { cause: error });
  }
}

/** Writes the manifest beside the images. */
async function describe(
  machine: Machine,
  { criu, cpu }: ReadyCriu,
  { node, nested, place, surroundings, bundle, veths }: Plan,
): Promise<void> {
  const { instance } = machine;
  await writeFile(path.join(place.images, CPU_IMAGE), cpu, { mode: 0o600 });
  const images = await describeImages(place.images);
  const { tree, disks, program } = surroundings;
  const text = encodeManifest({
    name: node.name,
    serial: node.serial,
    made: new Date().toISOString(),
    criu: criu.version,
    kernel: release(),
    arch: arch(),
    kinds: node.kinds ?? [],
    nested,
    program: program === undefined ? '' : currentProgram(instance.stateDir),
    mountPoint: tree ?? '',
    output: stateFiles(instance, node.serial).output,
    mounts: disks.map(({ mountPoint }) => mountPoint),
    ...(bundle && { bundle }),
    ...(veths.length > 0 && { veths }),
    pieceBytes: PIECE_BYTES,
    images,
  });
  await writeFile(path.join(place.images, MANIFEST), text, { mode: 0o600 });
}
