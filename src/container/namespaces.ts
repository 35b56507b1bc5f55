import { FsError } from '../errno.ts';
import { ROOT_SERIAL, type Pid } from '../ids.ts';
import { NAMESPACE_KINDS } from '../namespaces.ts';
import { namespaceInode } from '../proc/process.ts';
import { chainOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';
import { processesOf } from './processes.ts';
import { sharersFor } from './sharers.ts';

/** What is shown for a number that this kernel does not tell. */
const UNKNOWN = '-';

/**
 * The container's nsproxy: for each kind its inode, the kernel's unique id, how many processes of the machine are in it,
 * the serial of the outermost container that has it, and which processes these are, as `reader` sees them; and how many
 * processes the container has itself.
 */
export async function describeNamespaces(
  machine: Machine,
  container: Container,
  reader: Pid,
): Promise<{ lines: string[][]; tasks: number }> {
  const census = await machine.census();
  const init = container.serial === ROOT_SERIAL ? (process.pid as Pid) : container.init?.pid;
  if (init === undefined) throw new FsError('ENOENT', 'the container has no init');
  const sharers = sharersFor(machine, census, reader);
  const lines = NAMESPACE_KINDS.map(({ kind, link }) => {
    const space = openSpace(machine, init, link);
    if (!space) return [kind, UNKNOWN, UNKNOWN, '0', String(container.serial)];
    const shared = census.tasks(kind, space.inode).length;
    const first = firstSeen(machine, container, link, space.inode);
    return [
      kind,
      String(space.inode),
      space.id ?? UNKNOWN,
      String(shared),
      String(first.serial),
      ...sharers(kind, space.inode),
    ];
  });
  const own = await processesOf(machine, container);
  return { lines, tasks: own.length };
}

function firstSeen(machine: Machine, container: Container, link: string, inode: number): Container {
  const { root } = machine.store.registry;
  const daemons = namespaceInode(machine.files, 'self', link);
  if (daemons === inode) return root;
  const outermost = chainOf(container).find(
    ({ init }) => init && namespaceInode(machine.files, init.pid, link) === inode,
  );
  return outermost ?? container;
}

function openSpace({ kernel }: Machine, pid: Pid, link: string): { inode: number; id: string | undefined } | undefined {
  let fd: number | undefined;
  try {
    fd = kernel.openNamespace(pid, link);
    return { inode: kernel.namespaceInode(fd), id: kernel.namespaceId(fd)?.toString() };
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) kernel.close(fd);
  }
}
