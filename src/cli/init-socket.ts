import { constants } from 'node:fs';
import { access, open, readlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from './command.ts';

/** Where an init with a mount tree of its own takes commands, as it sees it (src/init/program.c). */
const INSIDE = ['dev', '.nsdir', 'commands'] as const;

/** The first descriptor of a child behind its standard ones. */
const SOCKET_FD = 3;

/** asm-generic/fcntl.h: what a name is, without opening it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

export interface InitSocket extends AsyncDisposable {
  /** Path to connect with, for a child that is given `descriptors` behind its standard ones. */
  readonly socket: string;
  readonly descriptors: readonly number[];
}

/**
 * The socket of the container's init: `outside` is where one without its own mount tree has it. The way inside goes
 * through a descriptor of /proc/PID, which never means another process, and through no symlink: whoever is root inside could
 * have one lead to another container's. Throws Failure.
 */
export async function commandsSocket(directory: string, outside: string): Promise<InitSocket> {
  const none = { socket: outside, descriptors: [], [Symbol.asyncDispose]: () => Promise.resolve() };
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
  let socket: FileHandle;
  try {
    if ((await readlink(link).catch(() => undefined)) !== target) return none;
    const found = await socketWithin(`/proc/self/fd/${init.fd}/root`, directory);
    if (!found) return none;
    socket = found;
  } finally {
    await init.close();
  }
  return {
    socket: `/proc/self/fd/${SOCKET_FD}`,
    descriptors: [socket.fd],
    [Symbol.asyncDispose]: () => socket.close(),
  };
}

/** `undefined` if there is none. */
async function socketWithin(root: string, directory: string): Promise<FileHandle | undefined> {
  let at = await openPath(root, O_DIRECTORY);
  for (const name of INSIDE) {
    const next = at && (await openPath(`/proc/self/fd/${at.fd}/${name}`, O_NOFOLLOW));
    await at?.close();
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
