import type { Pid } from '../ids.ts';

/** A system call for a tracee: the registers that make it, and whose result goes into which of them. */
export interface Step {
  readonly registers: Buffer;
  /** 64-bit word of the registers that gets the result of an earlier step. */
  readonly patch?: { readonly word: number; readonly from: number };
  /** Also after one before it failed. */
  readonly always?: boolean;
}

export interface Program {
  readonly steps: readonly Step[];
  /** 64-bit word of the registers that a call's result is in. */
  readonly resultWord: number;
  /** A further register set that takes a -1 before each call. */
  readonly callNote: number | undefined;
}

/**
 * The port to a process that traces another one for us (src/init/tracer.c). One tracee at a time: `seize`, `stopped`, then
 * `run` or `end`. Throws `FsError` with the errno of what failed.
 */
export interface TracerLink {
  /** Pid of the tracer: the tracee's TracerPid. */
  readonly pid: number;
  /**
   * Seizes the process and asks it to stop. `size` is how many bytes of general registers it has. With `isTold` it is waited
   * for, else `stopped` throws what it refuses. EPERM, ESRCH.
   */
  seize(pid: Pid, size: number, isTold: boolean): Promise<void>;
  /** Its general registers, once it has stopped. ESRCH if it ended, EBUSY if it does not stop: it is let go when it does. */
  stopped(): Promise<Buffer>;
  /**
   * Does the steps, puts registers and signal mask back, and lets it go; it is done to the end even if we are killed. After
   * a failure, whose errno is thrown, it stands still, as it was, until `end`. ETIMEDOUT if we were too slow to say so, and it
   * was let go as it was, or if it is in one of the calls still: no further one is made, and it is let go when it comes out.
   */
  run(program: Program): Promise<void>;
  /** Lets it go, with these registers if they are given. */
  end(registers?: Buffer): void;
}
