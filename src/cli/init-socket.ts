import { constants } from 'node:fs';
import { access, open, readlink, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from './command.ts';

/** Where an init with a mount tree of its own takes commands, as it sees it (src/init/program.c). */
const INSIDE = ['dev', '.nsdir', 'commands'] as const;

/** The first descriptors of a child behind its standard ones. */
const SOCKET_FD = 3;
const ROOT_FD = 4;

/** asm-generic/fcntl.h: what a name is, without opening it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

export interface InitSocket extends AsyncDisposable {
  /** Path to connect with, for a child that is given `descriptors` behind its standard ones. */
  readonly socket: string;
  readonly descriptors: readonly number[];
  /** The container's root directory, as that child sees it, if that is known. */
  readonly root: string | undefined;
}

/**
 * The socket of the container's init: `outside` is where one without its own mount tree has it. The way inside goes
 * through a descriptor of /proc/PID, which never means another process, and through no symlink: whoever is root inside could
 * have one lead to another container's. Throws Failure.
 */
export async function commandsSocket(directory: string, outside: string): Promise<InitSocket> {
  const [own, its] = await Promise.all(['/proc/self/ns/mnt', path.join(directory, '.ns/mnt')].map(namespaceAt));
  const rootOutside = own !== undefined && own === its ? '/' : undefined;
  const none = { socket: outside, descriptors: [], root: rootOutside, [Symbol.asyncDispose]: () => Promise.resolve() };
  try {
    await access(outside);
    return none;
  } catch {
    // It is inside, or there is none, which the child says.
  }
  const link = path.join(directory, '.init');
  const target = await readlink(link).catch(() => undefined);
  if (target === undefined) throw new Failure(`${directory} has no init: it has ended; see ${directory}/.exit`);
  const init = await open(target, 'r').catch(() => undefined);
  if (!init) return none;
  let root: FileHandle | undefined;
  try {
    if ((await readlink(link).catch(() => undefined)) !== target) return none;
    root = await openPath(`/proc/self/fd/${init.fd}/root`, O_DIRECTORY);
  } finally {
    await init.close();
  }
  return root ? await within(root, directory, none) : none;
}

/** Takes `root`; `none` if there is no socket in it. */
async function within(root: FileHandle, directory: string, none: InitSocket): Promise<InitSocket> {
  let socket: FileHandle | undefined;
  try {
    socket = await socketIn(root, directory);
  } finally {
    if (!socket) await root.close();
  }
  if (!socket) return none;
  const opened = [socket, root];
  return {
    socket: `/proc/self/fd/${SOCKET_FD}`,
    descriptors: opened.map(({ fd }) => fd),
    root: `/proc/self/fd/${ROOT_FD}`,
    async [Symbol.asyncDispose]() {
      for (const handle of opened) await handle.close();
    },
  };
}

/** Which namespace a link of /proc/PID/ns, or one to such a link, leads to. */
async function namespaceAt(link: string): Promise<number | undefined> {
  return (await stat(link).catch(() => undefined))?.ino;
}

/** `undefined` if there is none. */
async function socketIn(root: FileHandle, directory: string): Promise<FileHandle | undefined> {
  let at: FileHandle | undefined = root;
  for (const name of INSIDE) {
    const next: FileHandle | undefined = at && (await openPath(`/proc/self/fd/${at.fd}/${name}`, O_NOFOLLOW));
    if (at !== root) await at?.close();
    at = next;
    if (at && (await at.stat()).isSymbolicLink()) {
      await at.close();
      throw new Failure(
        `Cannot ask the init of ${directory}: a program inside has put a symlink in the place of /dev/.nsdir`,
      );
    }
  }
  return at;
}

async function openPath(file: string, flags: number): Promise<FileHandle | undefined> {
  return await open(file, O_PATH | flags).catch(() => undefined);
}
