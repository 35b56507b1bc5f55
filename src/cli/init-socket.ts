import { access, open, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from './command.ts';

/** Where an init with a mount tree of its own takes commands, as it sees it (src/init/program.c). */
const INSIDE = 'dev/.nsdir/commands';

/** The descriptor that the child which connects has of the init's /proc/PID: the first after standard error. */
const PROCESS_FD = 3;

export interface InitSocket extends AsyncDisposable {
  /** Path to connect with, for a child that is given `descriptors` behind its standard ones. */
  readonly socket: string;
  readonly descriptors: readonly number[];
  /** The container's root directory, as that child sees it, if that is known. */
  readonly root: string | undefined;
}

/**
 * The socket of the container's init: `outside` is where one without its own mount tree has it. The way inside goes
 * through a descriptor of /proc/PID, which never means another process.
 */
export async function commandsSocket(directory: string, outside: string): Promise<InitSocket> {
  const [own, its] = await Promise.all(['/proc/self/ns/mnt', path.join(directory, '.ns/mnt')].map(namespaceAt));
  const root = own !== undefined && own === its ? '/' : undefined;
  const none = { socket: outside, descriptors: [], root, [Symbol.asyncDispose]: () => Promise.resolve() };
  try {
    await access(outside);
    return none;
  } catch {
    // It is inside, or there is none, which the child says.
  }
  const link = path.join(directory, '.init');
  const target = await readlink(link).catch(() => undefined);
  if (target === undefined) throw new Failure(`${directory} has no init: it has ended; see ${directory}/.exit`);
  const handle = await open(target, 'r').catch(() => undefined);
  if (!handle) return none;
  if ((await readlink(link).catch(() => undefined)) !== target) {
    await handle.close();
    return none;
  }
  return {
    socket: `/proc/self/fd/${PROCESS_FD}/root/${INSIDE}`,
    descriptors: [handle.fd],
    root: `/proc/self/fd/${PROCESS_FD}/root`,
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Which namespace a link of /proc/PID/ns, or one to such a link, leads to. */
async function namespaceAt(link: string): Promise<number | undefined> {
  return (await stat(link).catch(() => undefined))?.ino;
}
