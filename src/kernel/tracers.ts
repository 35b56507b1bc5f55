import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { Shares, type Account } from '../shares.ts';
import { ARCHITECTURES } from './architecture.ts';
import { Tracee } from './tracee.ts';
import { TracerProcess } from './tracer-process.ts';

/** Processes that all users have enter at once, and root besides; more are refused with EAGAIN. */
const TRACERS_LIMIT = 64;

/** Of one user but root: one that does not stop takes a second. */
const TRACERS_PER_UID = 16;

/** Tracers kept for the next process. */
const IDLE_TRACERS = 2;

/** Whoever can have a process stop and do system calls. */
export interface Tracer {
  /**
   * Somebody to trace the process, which is not touched yet; `seize` or `seizeAndCall` do. It is given back when the tracee
   * is let go, by `call` or `end`. ENOSYS, EAGAIN, and EDQUOT if `account`, whoever asked, has too many that are entering.
   */
  take(pid: Pid, account: Account): Tracee;
}

/** Tracers of our own, started when they are needed. */
export class Tracers implements Tracer {
  readonly #binary: string;
  readonly #idle: TracerProcess[] = [];
  readonly #busy = new Shares({ each: TRACERS_PER_UID, all: TRACERS_LIMIT });

  constructor(binary: string) {
    this.#binary = binary;
  }

  take(pid: Pid, account: Account): Tracee {
    const architecture = ARCHITECTURES[process.arch];
    if (!architecture)
      throw new FsError('ENOSYS', `processes cannot be made to enter on a machine like this, ${process.arch}`);
    switch (this.#busy.beyond(account)) {
      case 'share':
        throw new FsError('EDQUOT', `${TRACERS_PER_UID} processes that its user asked for are entering; wait`);
      case 'all':
        throw new FsError('EAGAIN', `${TRACERS_LIMIT} processes are entering; try again`);
      case undefined:
    }
    const link = this.#idleOne() ?? new TracerProcess(this.#binary);
    this.#busy.take(account);
    return new Tracee(link, architecture, pid, () => {
      this.#busy.give(account);
      if (link.isIdle && this.#idle.length < IDLE_TRACERS) this.#idle.push(link);
      else link.close();
    });
  }

  /** One that was kept may have ended since. */
  #idleOne(): TracerProcess | undefined {
    for (;;) {
      const link = this.#idle.pop();
      if (!link || link.isIdle) return link;
    }
  }
}
