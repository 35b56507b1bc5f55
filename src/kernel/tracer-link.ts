import type { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import type { Word } from './architecture.ts';

/** A system call for a tracee: what it has in its registers for that, and whose result goes into which of them. */
export interface Step {
  readonly words: readonly Word[];
  /** 64-bit word of the registers that gets the result of an earlier step. */
  readonly patch?: { readonly word: number; readonly from: number };
  /** Also after one before it failed. */
  readonly always?: boolean;
}

/** What is to be told of a process that has stopped. */
export interface RegistersWanted {
  /** How many bytes of general registers it has. */
  readonly size: number;
  /** 64-bit word of them that says which instruction is next. */
  readonly placeWord: number;
  /** How many bytes before that one begins that is asked for. */
  readonly before: number | undefined;
}

export interface Stopped {
  readonly registers: Buffer;
  /** Eight bytes of its memory, from the instruction that was asked for; zeros if it was none, or is not to be read. */
  readonly instruction: Buffer;
}

export interface Program {
  readonly steps: readonly Step[];
  /** Where an instruction is that enters the kernel, or which one that is, if it was interrupted at one. */
  readonly place: bigint | Buffer;
  /** 64-bit word of the registers that says which instruction is next, and which a call's result is in. */
  readonly placeWord: number;
  readonly resultWord: number;
  /** A further register set that takes a -1 before each call. */
  readonly callNote: number | undefined;
}

/**
 * What is so of a process by what can be read of it: a file that is `whole` the text, or has its `lines`, a link whose `end`
 * it is (none: it cannot be read), or a `/proc/PID/stat` of who lives, with that `start` time. No zeros in either text.
 */
export interface Fact {
  readonly how: 'whole' | 'lines' | 'end' | 'start';
  readonly path: string;
  readonly text: string;
}

/** What has to be so, and which cgroup the process is then moved into, by the name of its `cgroup.procs`. */
export interface Provided {
  readonly facts: readonly Fact[];
  readonly joins: string | undefined;
}

export interface Outcome {
  readonly stopped: Stopped;
  /** `changed`: not all is so. An error of `run`; after both it stands still, until `end`. */
  readonly ran: 'done' | 'changed' | FsError;
}

/**
 * The port to a process that traces another one for us (src/init/tracer.c). One tracee at a time: `seize`, `stopped`, then
 * `run` or `end`. Throws `FsError` with the errno of what failed.
 */
export interface TracerLink {
  /** Pid of the tracer: the tracee's TracerPid. */
  readonly pid: number;
  /**
   * Seizes the process and asks it to stop. With `isTold` it is waited for, else `stopped` throws what it refuses. EPERM,
   * ESRCH.
   */
  seize(pid: Pid, registers: RegistersWanted, isTold: boolean): Promise<void>;
  /** Once it has stopped. ESRCH if it ended, EBUSY if it does not stop: it is let go when it does. */
  stopped(): Promise<Stopped>;
  /**
   * Does the steps, puts registers and signal mask back, and lets it go; it is done to the end even if we are killed. After
   * a failure, whose errno is thrown, it stands still, as it was, until `end`. ETIMEDOUT if we were too slow to say so, and it
   * was let go as it was, or if it is in one of the calls still: no further one is made, and it is let go when it comes out.
   */
  run(program: Program): Promise<void>;
  /**
   * As `seize`, `stopped` and `run` in one, if all is so once it stands still, and it was interrupted at an instruction as the
   * program wants it. Else nothing is done. Throws what `stopped` does.
   */
  seizeAndRun(pid: Pid, registers: RegistersWanted, program: Program, provided: Provided): Promise<Outcome>;
  /** Lets it go, with these registers if they are given. */
  end(registers?: Buffer): void;
}
