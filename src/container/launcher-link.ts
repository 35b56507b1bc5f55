import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { FsError, systemErrno } from '../errno.ts';
import { encodeFrame, FrameReader } from './launcher-frames.ts';

/** How often, and for how long in all, a launcher that was just started is waited for. */
const CONNECT_RETRY_MS = 5;
const CONNECT_LIMIT_MS = 3000;

/** Nobody listens there, or who did is just dying (unix(7)). */
const GONE: readonly unknown[] = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET'];

/** Where a launcher is, and how to start one. All paths are absolute. */
export interface LauncherPlace {
  readonly binary: string;
  readonly socket: string;
  readonly pidFile: string;
  /** What it is told of its user's subordinate ids (src/init/usernamespace.c). */
  readonly environment?: NodeJS.ProcessEnv;
}

/** A connection with the launcher. */
export class LauncherLink {
  readonly #socket: Socket;
  /** Resolves when the connection ended, for any reason. */
  readonly closed: Promise<void>;

  /** `onFrame` is given each frame; what it throws ends the connection. */
  constructor(socket: Socket, onFrame: (words: string[]) => void) {
    const reader = new FrameReader();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const words of reader.push(chunk)) onFrame(words);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined);
      }
    });
    socket.on('error', () => undefined); // `close` follows
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
      });
    });
  }

  /** Throws what `encodeFrame` throws. A connection that is gone takes nothing, and is told by `closed`. */
  send(...words: string[]): void {
    this.#socket.write(encodeFrame(words));
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Connects with the launcher that listens at `socket`; `undefined` if none does. */
export async function connectLauncher(socket: string): Promise<Socket | undefined> {
  const connection = connect(socket);
  return await new Promise((resolve, reject) => {
    connection.once('connect', () => {
      connection.removeAllListeners('error');
      resolve(connection);
    });
    connection.once('error', (error) => {
      const errno = systemErrno(error);
      if (GONE.includes(errno)) resolve(undefined);
      else reject(new FsError(errno ?? 'EIO', `Cannot connect to the launcher at "${socket}"`, { cause: error }));
    });
  });
}

/**
 * Starts a launcher and connects with it. It outlives this process and inherits nothing of it. ETIMEDOUT if it does not
 * listen in time.
 */
export async function spawnLauncher(place: LauncherPlace): Promise<Socket> {
  const child = spawn(place.binary, ['launcher', place.socket, place.pidFile], {
    cwd: '/',
    detached: true,
    env: place.environment ?? {},
    stdio: 'ignore',
  });
  child.unref();
  const state: { failure?: Error } = {};
  child.once('error', (error) => (state.failure = error));
  const deadline = Date.now() + CONNECT_LIMIT_MS;
  while (Date.now() < deadline) {
    const socket = await connectLauncher(place.socket);
    if (socket) return socket;
    if (state.failure) {
      const errno = systemErrno(state.failure) ?? 'EIO';
      throw new FsError(errno, `Cannot run "${place.binary}": ${errno}; build it with scripts/build-init`, {
        cause: state.failure,
      });
    }
    await delay(CONNECT_RETRY_MS);
  }
  throw new FsError(
    'ETIMEDOUT',
    `"${place.binary} launcher" does not listen at "${place.socket}"; is its directory there?`,
  );
}
