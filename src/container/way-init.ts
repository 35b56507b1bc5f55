import { rmSync } from 'node:fs';
import { ownLeaf } from '../cgroup/paths.ts';
import { FsError } from '../errno.ts';
import { stateFiles } from '../instance.ts';
import { cloneFlags, DEFAULT_KINDS, NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { OWN_UID } from '../own-user.ts';
import { readStat } from '../proc/process.ts';
import { chainOf, pathOf, type Container, type PinnedProcess } from './container.ts';
import type { Machine } from './machine.ts';
import { giveOutput } from './output.ts';
import type { Owner } from './owner.ts';
import type { Way } from './way.ts';

/** Name of an init's program (proc_pid_comm(5)). */
const INIT_COMM = 'nsdir-init';

/** What the launcher calls the last step of a start for an owner (src/init/init.c). */
const LAST_STEP = 'execute its program';

/** An init of our own in new namespaces, with the machine's files. */
export const byInit: Way = {
  isOf: () => true,
  isInitOurs: true,
  refuse({ hierarchy }, container, { outer, kinds }, what) {
    if (outer?.bundle !== undefined) {
      throw new FsError(
        'EBUSY',
        `Cannot ${what}: "${pathOf(outer)}" runs a bundle, which has other files than the machine; move it out of there`,
      );
    }
    // Processes are followed, and killed, by their cgroup or by their pid namespace.
    if (hierarchy.layout === 'none' && !(kinds ?? wantedKinds(container)).includes('pid')) {
      throw new FsError(
        'ENOTSUP',
        `Cannot ${what} without a pid namespace: there is no cgroup by which its processes could be followed; ` +
          'see "own cgroup" in nsdir doctor',
      );
    }
  },
  async begin(machine, container, order) {
    const { instance, launcher, cgroupOf, hierarchy } = machine;
    const { outer, parent, owner, signal } = order;
    const kinds = kindsFor(container, order.kinds ?? wantedKinds(container), owner);
    giveOutput(stateFiles(instance, container.serial).output, owner);
    const init = await began(
      launcher.start(
        {
          owner: owner && { ...owner, processes: machine.userLimits.processes },
          serial: container.serial,
          cgroupDir: hierarchy.layout === 'none' ? '' : ownLeaf(cgroupOf(container)),
          flags: cloneFlags(kinds),
          hostname: container.name,
          parentInit: parent?.pid ?? 0,
          parentStartTime: parent?.startTime,
          mountPoint: instance.mountPoint,
          path: relativePath(container, outer),
          // What was discovered around it has no view of the tree of its own that it could nest in.
          inode: chainOf(container).some(({ found }) => found) ? 0 : machine.inodeOf(container),
          initSocket: stateFiles(instance, container.serial).initSocket,
        },
        signal,
      ),
      machine,
      container,
      owner,
    );
    return { init, kinds };
  },
  isInit: (files, pid) => readStat(files, pid)?.comm === INIT_COMM,
};

function wantedKinds({ kinds, phase }: Container): readonly NamespaceKind[] {
  const wanted = phase === 'declared' ? (kinds ?? []) : (kinds ?? DEFAULT_KINDS);
  const both = phase === 'declared' ? [...DEFAULT_KINDS, ...wanted] : wanted;
  return NAMESPACE_KINDS.map(({ kind }) => kind).filter((kind) => both.includes(kind));
}

/** A start for an owner that fails leaves no file. The kernel executes nothing for who has too many processes (execve(2)). */
async function began(
  start: Promise<PinnedProcess>,
  { instance, userLimits: { processes } }: Machine,
  container: Container,
  owner: Owner | undefined,
): Promise<PinnedProcess> {
  try {
    return await start;
  } catch (cause) {
    if (!owner) throw cause;
    if (container.phase === 'declared') {
      for (const file of Object.values(stateFiles(instance, container.serial))) rmSync(file, { force: true });
    }
    if (!(cause instanceof FsError && cause.errno === 'EAGAIN' && cause.message.includes(LAST_STEP))) throw cause;
    const text = `uid ${owner.uid} has more processes than the ${processes} at which his containers make no more; end some`;
    throw new FsError('EDQUOT', text, { cause });
  }
}

/** Who is not root gets a user namespace, once: what is in it makes the others. */
function kindsFor(
  container: Container,
  kinds: readonly NamespaceKind[],
  owner: Owner | undefined,
): readonly NamespaceKind[] {
  if ((OWN_UID === 0 && owner === undefined) || kinds.includes('user')) return kinds;
  if (owner?.uidMap === '') return kinds;
  if (owner === undefined && chainOf(container).some((around) => around.init && around.kinds?.includes('user')))
    return kinds;
  return NAMESPACE_KINDS.map(({ kind }) => kind).filter((kind) => kind === 'user' || kinds.includes(kind));
}

function relativePath(container: Container, outer: Container | undefined): string {
  const names = chainOf(container).map(({ name }) => name);
  return names.slice(outer ? chainOf(outer).length : 0).join('/');
}
