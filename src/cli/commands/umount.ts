import path from 'node:path';
import { runBounded } from '../../../mount/device/child.ts';
import { detach, healthOf, isOurs, mountsAt, mountsBelow, unmount } from '../../../mount/device/mountpoint.ts';
import type { Instance } from '../../instance.ts';
import { defineCommand, Failure } from '../command.ts';
import { daemonProcesses, STALE_END_TIMEOUT_MS } from '../daemon-processes.ts';
import { findHolders } from '../holders.ts';
import { lockInstance } from '../lock.ts';
import { INSTANCE_OPTIONS, mountedByOther, placeFor } from '../place.ts';
import { hasContainers, isPopulated, madeHere, removeTraces, takeDown } from '../take-down.ts';
import { printable } from '../text.ts';

/** Removing thousands of containers takes seconds. */
const REMOVE_TIMEOUT_MS = 120_000;

/** Entries given to one rm(1): far below what execve(2) takes. */
const REMOVE_BATCH = 200;

/** What lives may make something between rm's listing and its rmdir: what is left then is removed once more. */
const REMOVE_ROUNDS = 3;

export const umount = defineCommand({
  name: 'umount',
  summary: 'take the tree away',
  usage: '[OPTION…] [DIR]',
  details: [
    'DIR is $NSDIR_MOUNT or /namespaces if it is not given. Containers live on; a later nsdir mount finds them. A tree ' +
      'that is in use is left alone and its users are named; a daemon that does not answer is ended all the same.',
  ],
  options: {
    lazy: { type: 'boolean', short: 'l', summary: 'although it is in use: who holds it gets errors from then on' },
    kill: { type: 'boolean', short: 'k', summary: 'remove every container first, and everything nsdir keeps' },
    ...INSTANCE_OPTIONS,
  },
  words: [0, 1],
  async run({ values, words }) {
    const instance = await placeFor(words[0], values);
    await refuseOthers(instance);
    // Who types it in the tree itself is in nobody's way by that.
    process.chdir('/');
    const lock = await lockInstance(instance);
    // What was refused leaves nothing either that was not there before.
    let leavesNothing = lock.isNew;
    try {
      leavesNothing = (await umountLocked(instance, values.lazy === true, values.kill === true)) || leavesNothing;
      return 0;
    } finally {
      if (leavesNothing) await lock.removeFile();
      await lock.release();
    }
  },
});

async function refuseOthers(instance: Instance): Promise<void> {
  const other = await mountedByOther(instance);
  if (other === undefined) return;
  throw new Failure(`${instance.mountPoint} was mounted by ${other}; sudo nsdir umount ${instance.mountPoint}`);
}

/** Whether nothing is left of the instance. */
async function umountLocked(instance: Instance, lazy: boolean, kill: boolean): Promise<boolean> {
  const { mountPoint } = instance;
  const top = (await mountsAt(mountPoint)).at(-1);
  if (top !== undefined && !isOurs(top)) {
    throw new Failure(`${mountPoint} is no mount of nsdir but ${top.type} of ${top.source}: umount ${mountPoint}`);
  }
  const health = top === undefined ? undefined : await healthOf(mountPoint);
  const nothing = top === undefined && !(await isPopulated(instance)) && (await madeHere(instance)).length === 0;
  if (kill && health?.alive !== true && !nothing) {
    throw new Failure(`--kill needs the tree, which does not answer at ${mountPoint}: nsdir mount ${mountPoint}`);
  }
  if (kill && !nothing) await removeContainers(instance);
  if (health?.alive === true) await (lazy ? detach(mountPoint) : unmountOrExplain(instance));

  const { daemon, supervisor } = await daemonProcesses(instance);
  await takeDown(instance, health?.alive === false ? STALE_END_TIMEOUT_MS : undefined);
  const living = await isPopulated(instance);
  const clean = !living && (kill ? (await madeHere(instance)).length === 0 : !(await hasContainers(instance)));
  if (clean) await removeTraces(instance);
  process.stdout.write(
    `${farewell(mountPoint, top !== undefined || daemon !== undefined || supervisor !== undefined)}\n`,
  );
  if (living) process.stdout.write(`its containers live on; nsdir mount ${mountPoint} finds them again\n`);
  return clean;
}

function farewell(mountPoint: string, wasThere: boolean): string {
  return wasThere ? `${mountPoint} is unmounted` : `nothing is mounted at ${mountPoint}`;
}

/** All that was made here; what was only discovered is not ours to kill. */
async function removeContainers(instance: Instance): Promise<void> {
  let complaint = '';
  for (let round = 0; round < REMOVE_ROUNDS; round++) {
    const names = await madeHere(instance);
    if (names.length === 0) return;
    complaint = await removeAll(instance, names);
    if (complaint === '') return;
  }
  throw new Failure(`not every container could be removed: ${printable(complaint)}`);
}

/** What rm(1) has to say of those that it could not remove; '' if it removed all. */
async function removeAll({ mountPoint }: Instance, names: readonly string[]): Promise<string> {
  let complaint = '';
  for (let start = 0; start < names.length; start += REMOVE_BATCH) {
    const paths = names.slice(start, start + REMOVE_BATCH).map((name) => path.join(mountPoint, name));
    const { status, stderr } = await runBounded('rm', ['-rf', '--', ...paths], REMOVE_TIMEOUT_MS);
    if (status !== 0) complaint += stderr === '' ? `rm: status ${status ?? '?'}\n` : stderr;
  }
  return complaint;
}

/** A plain umount(8); who is in the way is named. */
async function unmountOrExplain(instance: Instance): Promise<void> {
  const { mountPoint } = instance;
  const { status, stderr } = await unmount(mountPoint);
  if (status === 0) return;
  const holders = await findHolders(mountPoint, await ownProcesses(instance));
  const below = await mountsBelow(mountPoint);
  const lines = [
    ...holders.map(
      ({ pid, command, how, path: held }) => `  ${pid} ${printable(command)}: ${how} is ${printable(held)}`,
    ),
    ...below.map(({ mountPoint: inner, type }) => `  ${type} is mounted at ${printable(inner)}`),
  ];
  const why = lines.length === 0 ? `  ${printable(stderr)}` : lines.join('\n');
  throw new Failure(`${mountPoint} is busy:\n${why}\nEnd these, or: nsdir umount --lazy ${mountPoint}`);
}

/** Pids of ours, which nobody needs to end. */
async function ownProcesses(instance: Instance): Promise<readonly number[]> {
  const { daemon, supervisor } = await daemonProcesses(instance);
  return [process.pid, daemon?.pid, supervisor?.pid].filter((pid) => pid !== undefined);
}
