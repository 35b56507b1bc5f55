import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { FsError, systemErrno } from '../errno.ts';
import type { Pid } from '../ids.ts';
import type { Architecture } from './architecture.ts';
import type { Program, Provided, RegistersWanted, Step, Stopped, TracerLink } from './tracer-link.ts';

/** A system call to be done; an argument may be the result of an earlier one. */
export interface Call {
  readonly number: bigint;
  readonly args: readonly (bigint | { readonly resultOf: number })[];
  /** Also after one before it failed: what cleans up. */
  readonly always?: boolean;
}

/** Where a vDSO is searched for the instruction; it has two to four pages. */
const VDSO_BYTES = 0x4000;

/** linux/auxvec.h; pairs of 64-bit words. */
const AT_SYSINFO_EHDR = 33n;
const WORD_BYTES = 8;

/** Memory of another process, which may be gone meanwhile. */
export interface Memory {
  /** Fewer bytes at the end of a mapping, none where nothing is mapped. */
  read(pid: Pid, address: bigint, size: number): Buffer;
  /** Address of its vDSO (getauxval(3), AT_SYSINFO_EHDR); `undefined` if it has none. */
  vdso(pid: Pid): bigint | undefined;
}

/** Of calls that are made again and again, where a process is interrupted at the instruction. */
const PROGRAMS = new WeakMap<readonly Call[], Program>();

/** A process of somebody else that stands still and can be made to do system calls. */
export class Tracee {
  readonly #link: TracerLink;
  readonly #architecture: Architecture;
  readonly #pid: Pid;
  readonly #memory: Memory;
  #onReleased: (() => void) | undefined;
  #isSeized = false;
  #stopped: Stopped | undefined;

  constructor(link: TracerLink, architecture: Architecture, pid: Pid, onReleased: () => void, memory: Memory = MEMORY) {
    this.#link = link;
    this.#architecture = architecture;
    this.#pid = pid;
    this.#onReleased = onReleased;
    this.#memory = memory;
  }

  /** Pid of the process that traces it. */
  get tracer(): number {
    return this.#link.pid;
  }

  /** See `TracerLink`. After an error there is nothing to let go of. */
  async seize(isTold: boolean): Promise<void> {
    await this.#orRelease('trace', () => this.#link.seize(this.#pid, this.#registersWanted(), isTold));
    this.#isSeized = true;
  }

  /** ESRCH if it ended, EBUSY if it does not stop; then there is nothing to let go of. */
  async stopped(): Promise<void> {
    this.#stopped ??= await this.#orRelease('stop', () => this.#link.stopped());
  }

  /**
   * Has it do the calls and lets it go, as it was but for what they did. Throws the errno of the first that failed, ESRCH if
   * it died, ENOTSUP for a program of another word length, or one without the instruction; after that `end` lets it go.
   */
  async call(calls: readonly Call[]): Promise<void> {
    const architecture = this.#architecture;
    const registers = this.#stopped?.registers ?? Buffer.alloc(0);
    if (registers.length !== architecture.registerBytes) {
      throw new FsError('ENOTSUP', `process ${this.#pid} is no ${architecture.name} program`);
    }
    await this.#link.run(this.#program(calls, this.#instruction(registers)));
    this.#release();
  }

  /**
   * As `seize`, `stopped` and `call` in one, provided that all is as it was seen. Else, or where it takes more to find the
   * instruction, it stands still, untouched, and this is false. Throws what they do.
   */
  async seizeAndCall(calls: readonly Call[], provided: Provided): Promise<boolean> {
    const { callBefore, instruction } = this.#architecture;
    if (callBefore === undefined) {
      await this.seize(false);
      await this.stopped();
      return false;
    }
    const program = PROGRAMS.get(calls) ?? this.#program(calls, instruction);
    PROGRAMS.set(calls, program);
    const { stopped, ran } = await this.#orRelease('stop', () =>
      this.#link.seizeAndRun(this.#pid, this.#registersWanted(), program, provided),
    );
    this.#isSeized = true;
    this.#stopped = stopped;
    if (ran === 'changed') return false;
    if (ran !== 'done') throw ran;
    this.#release();
    return true;
  }

  #registersWanted(): RegistersWanted {
    const { registerBytes: size, placeWord, callBefore: before } = this.#architecture;
    return { size, placeWord, before };
  }

  #program(calls: readonly Call[], place: bigint | Buffer): Program {
    const architecture = this.#architecture;
    const steps = calls.map(({ number, args, always = false }): Step => {
      const plain = args.map((value) => (typeof value === 'bigint' ? value : 0n));
      const words = architecture.calling(number, plain);
      const index = args.findIndex((value) => typeof value !== 'bigint');
      const taken = args[index];
      if (typeof taken !== 'object') return { words, always };
      return { words, always, patch: { word: architecture.argumentWord(index), from: taken.resultOf } };
    });
    const { placeWord, resultWord, callNote } = architecture;
    return { steps, place, placeWord, resultWord, callNote };
  }

  /** Lets it go on from where it was, once it has stopped. With `errno`, the system call it was about to return from fails so. */
  async end(errno?: number): Promise<void> {
    // Seized, and not waited for: its stop comes first.
    if (this.#isSeized && this.#onReleased && !this.#stopped) await this.stopped().catch(() => undefined);
    if (!this.#onReleased) return;
    if (!this.#isSeized) {
      this.#release();
      return;
    }
    const registers = errno === undefined ? undefined : this.#stopped?.registers;
    const usable = registers?.length === this.#architecture.registerBytes;
    this.#link.end(usable ? this.#architecture.answering(registers, BigInt(-(errno ?? 0))) : undefined);
    this.#release();
  }

  #release(): void {
    this.#onReleased?.();
    this.#onReleased = undefined;
  }

  async #orRelease<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      this.#release();
      if (!(cause instanceof FsError)) throw cause;
      const { errno } = cause;
      const why = errno === 'EBUSY' ? 'it waits for something uninterruptibly; try again' : errno;
      throw new FsError(errno, `Cannot ${what} process ${this.#pid}: ${why}`, { cause });
    }
  }

  /** Where its own program has the instruction: before where it was interrupted, or in the vDSO. Nothing is written into it. */
  #instruction(registers: Buffer): bigint {
    const { instruction } = this.#architecture;
    const own = this.#architecture.interruptedAt(registers);
    if (own !== undefined && this.#stopped?.instruction.subarray(0, instruction.length).equals(instruction) === true)
      return own;
    const vdso = this.#memory.vdso(this.#pid);
    const found = vdso === undefined ? -1 : this.#memory.read(this.#pid, vdso, VDSO_BYTES).indexOf(instruction);
    if (vdso === undefined || found < 0) {
      throw new FsError('ENOTSUP', `process ${this.#pid} has no system call instruction to be found`);
    }
    return vdso + BigInt(found);
  }
}

/** proc_pid_mem(5), proc_pid_auxv(5) */
const MEMORY: Memory = {
  read(pid, address, size) {
    const bytes = Buffer.alloc(size);
    try {
      const fd = openSync(`/proc/${pid}/mem`, 'r');
      try {
        return bytes.subarray(0, readSync(fd, bytes, 0, size, address));
      } finally {
        closeSync(fd);
      }
    } catch (cause) {
      const errno = systemErrno(cause);
      if (errno === 'EIO' || errno === 'EFAULT') return bytes.subarray(0, 0);
      throw new FsError(errno ?? 'ESRCH', `Cannot read memory of process ${pid}: ${errno ?? 'gone'}`, { cause });
    }
  },
  vdso(pid) {
    const vector = readFileSync(`/proc/${pid}/auxv`);
    for (let at = 0; at + 2 * WORD_BYTES <= vector.length; at += 2 * WORD_BYTES) {
      if (vector.readBigUInt64LE(at) === AT_SYSINFO_EHDR) return vector.readBigUInt64LE(at + WORD_BYTES);
    }
    return undefined;
  },
};
