import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../../src/container/machine.ts';
import { FsError } from '../../src/errno.ts';
import { pid as checkedPid } from '../../src/ids.ts';
import { CheckpointTree } from '../../src/tree/checkpoint-tree.ts';
import type { TreeListener } from '../../src/tree/filesystem.ts';
import { Tree } from '../../src/tree/tree.ts';
import { isOurs, mountsAt } from '../device/mountpoint.ts';
import { isLogged, LogLines } from '../log-lines.ts';
import { openLibrary } from './library.ts';
import { operationsOf, type Outcome } from './operations.ts';
import { LIBRARY_OPTIONS } from './options.ts';
import { PathTree } from './path-tree.ts';
import { LibraryThreads } from './threads.ts';
import { OWN_UID } from '../../src/own-user.ts';

/** How often to look whether somebody has taken the mount away: the library does not say. */
const LOOK_EVERY_MS = 250;

/** Numbers of one daemon's requests and handles. */
const NUMBERS_PER_DAEMON = 2 ** 32;

/** Nothing is kept by the kernel, and nobody can be woken: there is nothing to tell. */
const DEAF: TreeListener = { directoryChanged: () => undefined, wake: () => undefined };

export interface NativeOptions {
  readonly machine: Machine;
  readonly traceFile: string | undefined;
  readonly incarnation: number;
}

/** Serves the tree through fuse-native, from mounting it to its end. */
export class NativeSession {
  /** Fulfilled when the tree is not mounted any more, whoever did that, and the library's threads have ended. */
  readonly ended: Promise<void>;

  private constructor(ended: Promise<void>) {
    this.ended = ended;
  }

  /** Mounts. What is left of a former daemon's mount was cleared away. Throws ENOTSUP, EIO. */
  static async mount({ machine, traceFile, incarnation }: NativeOptions): Promise<NativeSession> {
    const { mountPoint } = machine.instance;
    const first = incarnation * NUMBERS_PER_DAEMON + 2;
    const tree = new CheckpointTree(new Tree(machine, DEAF, first), machine, first);
    // The library does not say who asks. The kernel lets nobody in but who mounted, and that is this process's own user.
    const caller = {
      pid: checkedPid(process.pid),
      uid: OWN_UID,
      gid: process.getgid?.() ?? 0,
    };
    const threads = await LibraryThreads.watch();
    const operations = operationsOf(new PathTree(tree, caller, first), noting(machine, traceFile));
    const library = openLibrary(mountPoint, operations, LIBRARY_OPTIONS);
    await new Promise<void>((resolve, reject) => {
      library.mount((cause) => {
        if (cause === null) resolve();
        else reject(new FsError('EIO', `Cannot mount ${mountPoint} with fuse-native: ${cause.message}`, { cause }));
      });
    });
    return new NativeSession(untilGone(mountPoint, threads));
  }
}

/** Takes down what became of each operation. */
function noting({ log }: Machine, traceFile: string | undefined): (outcome: Outcome) => void {
  const lines = new LogLines();
  return ({ name, args, error, milliseconds }) => {
    const outcome = error === undefined ? 'ok' : error instanceof FsError ? `${error.errno}: ${error.message}` : 'bug';
    if (outcome === 'bug') log.error({ where: name, err: error }, 'bug: answered EIO');
    if (!isLogged(name) && traceFile === undefined) return;
    const what = args.filter((arg) => typeof arg === 'string' || typeof arg === 'number').join(' ');
    const us = Math.round(milliseconds * 1000);
    if (isLogged(name)) {
      lines.push(() => {
        log.info({ op: name, what, us, outcome });
      });
    }
    if (traceFile !== undefined) appendFileSync(traceFile, `${name} ${what}: ${outcome}\n`);
  };
}

async function untilGone(mountPoint: string, threads: LibraryThreads): Promise<void> {
  while ((await mountsAt(mountPoint)).some(isOurs)) await sleep(LOOK_EVERY_MS);
  await threads.ended();
}
