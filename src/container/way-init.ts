import { ownLeaf } from '../cgroup/paths.ts';
import { FsError } from '../errno.ts';
import { stateFiles } from '../instance.ts';
import { cloneFlags, DEFAULT_KINDS, NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { OWN_UID } from '../own-user.ts';
import { readStat } from '../proc/process.ts';
import { chainOf, pathOf, type Container } from './container.ts';
import type { Way } from './way.ts';

/** Name of an init's program (proc_pid_comm(5)). */
const INIT_COMM = 'nsdir-init';

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
    const { outer, signal } = order;
    const kinds = kindsFor(container, order.kinds ?? wantedKinds(container));
    const init = await launcher.start(
      {
        serial: container.serial,
        cgroupDir: hierarchy.layout === 'none' ? '' : ownLeaf(cgroupOf(container)),
        flags: cloneFlags(kinds),
        hostname: container.name,
        parentInit: outer?.init?.pid ?? 0,
        parentStartTime: outer?.init?.startTime,
        mountPoint: instance.mountPoint,
        path: relativePath(container, outer),
        // What was discovered around it has no view of the tree of its own that it could nest in.
        inode: chainOf(container).some(({ found }) => found) ? 0 : machine.inodeOf(container),
        initSocket: stateFiles(instance, container.serial).initSocket,
      },
      signal,
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

/** Who is not root gets a user namespace, once: what is in it makes the others. */
function kindsFor(container: Container, kinds: readonly NamespaceKind[]): readonly NamespaceKind[] {
  if (OWN_UID === 0 || kinds.includes('user')) return kinds;
  if (chainOf(container).some((around) => around.init && around.kinds?.includes('user'))) return kinds;
  return NAMESPACE_KINDS.map(({ kind }) => kind).filter((kind) => kind === 'user' || kinds.includes(kind));
}

function relativePath(container: Container, outer: Container | undefined): string {
  const names = chainOf(container).map(({ name }) => name);
  return names.slice(outer ? chainOf(outer).length : 0).join('/');
}
