import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { ARCHITECTURES } from './architecture.ts';
import { Tracee } from './tracee.ts';
import { TracerProcess } from './tracer-process.ts';

/** Processes that may be entering at once; more are refused with EAGAIN. */
export const TRACERS_LIMIT = 64;

/** Tracers kept for the next process. */
const IDLE_TRACERS = 2;

/** Whoever can have a process stop and do system calls. */
export interface Tracer {
  /**
   * Seizes the process and asks it to stop, with `isTold` before this is fulfilled. It is let go by `call` or `end`. EPERM,
   * ESRCH, ENOSYS, EAGAIN.
   */
  seize(pid: Pid, isTold: boolean): Promise<Tracee>;
}

/** Tracers of our own, started when they are needed. */
export class Tracers implements Tracer {
  readonly #binary: string;
  readonly #idle: TracerProcess[] = [];
  #busy = 0;

  constructor(binary: string) {
    this.#binary = binary;
  }

  async seize(pid: Pid, isTold: boolean): Promise<Tracee> {
    const architecture = ARCHITECTURES[process.arch];
    if (!architecture)
      throw new FsError('ENOSYS', `processes cannot be made to enter on a machine like this, ${process.arch}`);
    if (this.#busy >= TRACERS_LIMIT) throw new FsError('EAGAIN', `${TRACERS_LIMIT} processes are entering; try again`);
    const link = this.#idle.pop() ?? new TracerProcess(this.#binary);
    this.#busy += 1;
    const tracee = new Tracee(link, architecture, pid, () => {
      this.#busy -= 1;
      if (link.isIdle && this.#idle.length < IDLE_TRACERS) this.#idle.push(link);
      else link.close();
    });
    await tracee.seize(isTold);
    return tracee;
  }
}
