import { systemErrno } from '../../errno.ts';
import type { Instance } from '../../instance.ts';
import type { Mount } from '../../mountinfo.ts';
import { bad, type Check, good, type Machine, type Outcome } from './check.ts';
import { isOurs } from '../../../mount/device/mountpoint.ts';

export const mountPoint: Check = {
  name: 'mount point',
  required: true,
  async probe(machine, { mountPoint: directory }: Instance) {
    const top = (await machine.mountsAt(directory)).at(-1);
    if (top === undefined) {
      const around = await machine.mountOf(directory);
      return around !== undefined && isOurs(around)
        ? insideOutcome(directory, around)
        : await directoryOutcome(machine, directory);
    }
    const ailment = await machine.ailmentOf(top);
    if (isOurs(top)) {
      return good(`${directory}: mounted by nsdir${ailment === undefined ? '' : `, stale (${ailment})`}`);
    }
    return ailment === undefined
      ? bad(
          `${directory}: ${top.type} of ${top.source}`,
          `${directory} is busy: another file system is mounted there`,
          `umount ${directory}, or mount elsewhere: nsdir mount DIR`,
        )
      : bad(
          `${directory}: dead ${top.type} of ${top.source}`,
          `${directory} is busy: a file system that does not answer is mounted there (${ailment})`,
          `umount -l ${directory}`,
        );
  },
};

/** A container's directory. What would be mounted there is seen by nobody who goes by the tree, and hides the container. */
function insideOutcome(directory: string, { mountPoint: tree }: Mount): Outcome {
  return bad(
    `${directory}: in the tree at ${tree}`,
    `${directory} is inside the tree of nsdir that is mounted at ${tree}`,
    `make a container there: mkdir ${directory}, or mount elsewhere: nsdir mount DIR`,
  );
}

/** Nothing is mounted there, and no tree of ours is around it, so asking cannot hang. */
async function directoryOutcome(machine: Machine, directory: string): Promise<Outcome> {
  try {
    const entries = machine.files.readdirSync(directory);
    if (entries.length === 0) return good(`${directory}: an empty directory`);
    return bad(
      `${directory}: ${entries.length === 1 ? '1 entry' : `${entries.length} entries`}`,
      `${directory} is not empty: what is in it would be hidden`,
      'mount elsewhere: nsdir mount DIR',
    );
  } catch (error) {
    const errno = systemErrno(error);
    if (errno === 'ENOENT') return missingOutcome(machine, directory);
    if (errno === 'ENOTDIR') {
      return bad(`${directory}: no directory`, `${directory} is no directory`, 'mount elsewhere: nsdir mount DIR');
    }
    return bad(
      `${directory}: ${errno ?? String(error)}`,
      `Cannot read ${directory}: ${errno ?? String(error)}`,
      'sudo',
    );
  }
}

/** What is not there is made by `nsdir mount`, but not where nobody can. */
async function missingOutcome({ mountOf }: Machine, directory: string): Promise<Outcome> {
  const around = await mountOf(directory);
  const isReadOnly = around !== undefined && [...around.options, ...around.superOptions].includes('ro');
  if (!isReadOnly) return good(`${directory}: will be made`);
  return bad(
    `${directory}: none`,
    `${directory} cannot be made: ${around.mountPoint} is mounted read-only`,
    `mount elsewhere: nsdir mount DIR, say /var/lib${directory}, with NSDIR_MOUNT=DIR for the other commands`,
  );
}

/** Whether the finding's mount point has a healthy tree already. */
export async function isMounted(machine: Machine, { mountPoint: directory }: Instance): Promise<boolean> {
  const top = (await machine.mountsAt(directory)).at(-1);
  return top !== undefined && isOurs(top) && (await machine.ailmentOf(top)) === undefined;
}
