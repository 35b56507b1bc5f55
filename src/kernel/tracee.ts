import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { errnoName, FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { NT_PRSTATUS, type Architecture } from './architecture.ts';
import type { Ptrace } from './ptrace.ts';

/** How long a process may take to stop; one that sleeps uninterruptibly does not. */
export const STOP_LIMIT_MS = 1_000;

/** The first looks follow each other closely, then there is one a millisecond. */
const CLOSE_LOOKS = 200;

/** How long one system call made in a process may take before it is given up; the main thread waits that long. */
export const CALL_LIMIT_MS = 500;

/** How often it is looked whether one that did not stop in time has stopped by now, to be let go. */
const RELEASE_EVERY_MS = 20;

/** Status words (waitpid(2), ptrace(2)): stopped; a stop at a system call (PTRACE_O_TRACESYSGOOD); PTRACE_EVENT_STOP. */
const STOPPED = 0x7f;
const CALL_STOP = 0x85;
const EVENT_STOP = 128;

const ALL_SIGNALS = 0xffff_ffff_ffff_ffffn;
const ERRNO_MAX = 4095n;

/** Where a vDSO is searched for the instruction; it has two to four pages. */
const VDSO_BYTES = 0x4000;

/** What tracing takes: the calls, and the machine's row; none for a machine that is not known. */
export interface Tracer {
  readonly ptrace: Ptrace;
  readonly architecture: Architecture | undefined;
}

type Stop = { readonly at: 'call' | 'event' } | { readonly at: 'signal'; readonly signal: number };

/**
 * A process of somebody else that is made to do system calls. Between `begin` and `end` nothing may be awaited: a tracer
 * that dies there leaves the process with registers that are not its own.
 */
export class Tracee {
  readonly #ptrace: Ptrace;
  readonly #architecture: Architecture;
  readonly #pid: Pid;
  #saved: { readonly registers: Buffer; readonly mask: bigint; readonly at: bigint } | undefined;

  /** The caller has checked that it may be traced. It runs on. Throws EPERM if somebody else traces it, ESRCH. */
  constructor({ ptrace, architecture }: Tracer, pid: Pid) {
    if (!architecture) throw new FsError('ENOSYS', 'processes of this kind of machine cannot be made to enter');
    this.#ptrace = ptrace;
    this.#architecture = architecture;
    this.#pid = pid;
    ptrace.seize(pid);
  }

  interrupt(): void {
    this.#ptrace.interrupt(this.#pid);
  }

  /** Waits until it has stopped. ESRCH if it ended, EBUSY after `STOP_LIMIT_MS`: it is let go when it stops. */
  async stopped(): Promise<void> {
    const deadline = performance.now() + STOP_LIMIT_MS;
    for (let looks = 0; !this.#hasStopped(); looks++) {
      if (performance.now() > deadline) {
        void this.#release();
        throw new FsError(
          'EBUSY',
          `process ${this.#pid} does not stop, it waits for something uninterruptibly; try again`,
        );
      }
      await (looks < CLOSE_LOOKS ? nextTurn() : sleep(1));
    }
  }

  /** Makes it ready for `call`. ENOTSUP for a program of another word length, or one without the instruction. */
  begin(): void {
    const { registerBytes } = this.#architecture;
    const registers = Buffer.from(this.#ptrace.registers(this.#pid, NT_PRSTATUS, registerBytes));
    if (registers.length !== registerBytes) {
      throw new FsError('ENOTSUP', `process ${this.#pid} is no ${this.#architecture.name} program`);
    }
    const at = this.#instruction(registers);
    const mask = this.#ptrace.signalMask(this.#pid);
    this.#ptrace.setSignalMask(this.#pid, ALL_SIGNALS);
    this.#saved = { registers, mask, at };
  }

  /** A system call in it; its result. Throws the call's errno, ESRCH if it dies, EIO after `CALL_LIMIT_MS`. */
  call(name: string, number: bigint, ...args: readonly bigint[]): bigint {
    const { registers, at } = this.#begun();
    const architecture = this.#architecture;
    this.#ptrace.setRegisters(this.#pid, NT_PRSTATUS, architecture.calling(registers, at, number, args));
    if (architecture.callNote !== undefined) {
      this.#ptrace.setRegisters(this.#pid, architecture.callNote, Buffer.from(Int32Array.of(-1).buffer));
    }
    this.#toCall();
    this.#toCall();
    const result = architecture.result(this.#ptrace.registers(this.#pid, NT_PRSTATUS, architecture.registerBytes));
    if (result >= 0n || result < -ERRNO_MAX) return result;
    const errno = errnoName(Number(-result));
    throw new FsError(errno, `${name}: ${errno}`);
  }

  /**
   * Lets it go on from where it was. With `errno`, the system call it was about to return from fails with that. One that is
   * gone bothers nobody; one that is busy still is let go when it stops.
   */
  end(errno?: number): void {
    try {
      this.#restore(errno);
      this.#ptrace.detach(this.#pid);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      void this.#release(errno);
    }
  }

  #restore(errno: number | undefined): void {
    if (!this.#saved) {
      if (errno === undefined) return;
      const { registerBytes } = this.#architecture;
      const registers = Buffer.from(this.#ptrace.registers(this.#pid, NT_PRSTATUS, registerBytes));
      if (registers.length === registerBytes) this.#answer(registers, errno);
      return;
    }
    const { registers, mask } = this.#saved;
    if (errno === undefined) this.#ptrace.setRegisters(this.#pid, NT_PRSTATUS, registers);
    else this.#answer(registers, errno);
    this.#ptrace.setSignalMask(this.#pid, mask);
  }

  #answer(registers: Buffer, errno: number): void {
    this.#ptrace.setRegisters(this.#pid, NT_PRSTATUS, this.#architecture.answering(registers, BigInt(-errno)));
  }

  /** Of a tracee that did not stop in time: it cannot be let go before it stops, which it does, or ends, some day. */
  async #release(errno?: number): Promise<void> {
    try {
      while (!this.#hasStopped()) await sleep(RELEASE_EVERY_MS, undefined, { ref: false });
      this.#restore(errno);
      this.#ptrace.detach(this.#pid);
    } catch (error) {
      if (!(error instanceof FsError)) throw error; // it is gone
    }
  }

  /** Whether it is in the stop that was asked for; other stops on the way are passed. ESRCH if it is gone. */
  #hasStopped(): boolean {
    const stop = this.#look();
    if (stop?.at === 'signal') this.#ptrace.resume(this.#pid, 'stop', stop.signal);
    return stop !== undefined && stop.at !== 'signal';
  }

  /** Lets it run to the next entry to or exit from a system call. */
  #toCall(): void {
    const deadline = performance.now() + CALL_LIMIT_MS;
    this.#ptrace.resume(this.#pid, 'call', 0);
    for (;;) {
      const stop = this.#look();
      if (stop?.at === 'call') return;
      // A stop by job control, or its end: SIGSTOP and SIGCONT cannot be held back.
      if (stop) this.#ptrace.resume(this.#pid, 'call', stop.at === 'signal' ? stop.signal : 0);
      else if (performance.now() > deadline) {
        throw new FsError(
          'EIO',
          `process ${this.#pid} did not come back from a system call within ${CALL_LIMIT_MS} ms`,
        );
      }
    }
  }

  /** Its new stop, if it has come to one. */
  #look(): Stop | undefined {
    const status = this.#poll();
    if (status === undefined) return undefined;
    if ((status & 0xff) !== STOPPED) throw new FsError('ESRCH', `process ${this.#pid} ended`);
    if (status >> 16 === EVENT_STOP) return { at: 'event' };
    const signal = (status >> 8) & 0xff;
    return signal === CALL_STOP ? { at: 'call' } : { at: 'signal', signal };
  }

  #poll(): number | undefined {
    try {
      return this.#ptrace.poll(this.#pid);
    } catch (cause) {
      if (cause instanceof FsError && cause.errno === 'ECHILD') {
        throw new FsError('ESRCH', `process ${this.#pid} ended`, { cause });
      }
      throw cause;
    }
  }

  #begun() {
    if (!this.#saved) throw new Error('a system call in a process that was not made ready');
    return this.#saved;
  }

  /** Where its own program has the instruction: before where it was interrupted, or in the vDSO. Nothing is written into it. */
  #instruction(registers: Buffer): bigint {
    const { instruction } = this.#architecture;
    const own = this.#architecture.interruptedAt(registers);
    if (own !== undefined && this.#ptrace.memory(this.#pid, own, instruction.length).equals(instruction)) return own;
    const vdso = this.#ptrace.vdso(this.#pid);
    const found = vdso === undefined ? -1 : this.#ptrace.memory(this.#pid, vdso, VDSO_BYTES).indexOf(instruction);
    if (vdso === undefined || found < 0) {
      throw new FsError('ENOTSUP', `process ${this.#pid} has no system call instruction to be found`);
    }
    return vdso + BigInt(found);
  }
}
