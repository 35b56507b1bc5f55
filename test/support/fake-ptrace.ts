import { NT_PRSTATUS } from '../../src/kernel/architecture.ts';
import type { Pid } from '../../src/ids.ts';
import type { Ptrace } from '../../src/kernel/ptrace.ts';
import { FsError } from '../../src/errno.ts';

/** Status words of waitpid(2): a stop that was asked for, one at a system call, an end. */
export const EVENT_STOP = (128 << 16) | (5 << 8) | 0x7f;
export const CALL_STOP = (0x85 << 8) | 0x7f;
export const ENDED = 9;
export const signalStop = (signal: number): number => (signal << 8) | 0x7f;

/** What a tracee is made to do, in order. */
export type PtraceCall = readonly [what: string, ...values: (number | bigint)[]];

const INSTRUCTION = Buffer.from([0x0f, 0x05]);
const X86_REGISTERS = 27 * 8;

/** A tracee of tables: it stops as `stops` say, and answers system calls as `answer` says. It records what is done to it. */
export class FakePtrace implements Ptrace {
  readonly calls: PtraceCall[] = [];
  /** What `poll` tells next; `undefined`: no news. When it is used up, each resumption comes to its end at once. */
  stops: (number | undefined)[] = [];
  registersNow = Buffer.alloc(X86_REGISTERS);
  mask = 0x10n;
  /** The result of a system call in it, negative for an errno. */
  answer: (number: bigint, args: readonly bigint[]) => bigint = () => 0n;
  /** Errors to throw, by method. */
  /** Told who traces the process from now on: us, or nobody. */
  onTraced: (pid: Pid, tracer: number) => void = () => undefined;
  readonly failing = new Map<string, FsError>();
  #inCall = false;

  seize(pid: Pid): void {
    this.#did('seize', pid);
    this.onTraced(pid, process.pid);
  }

  interrupt(pid: Pid): void {
    this.#did('interrupt', pid);
    this.stops.push(EVENT_STOP);
  }

  resume(pid: Pid, until: 'stop' | 'call', signal: number): void {
    this.#did(`resume to ${until}`, pid, signal);
    if (until === 'stop' || this.stops.length > 0) return;
    this.stops.push(CALL_STOP);
    this.#inCall = !this.#inCall;
    if (this.#inCall) return;
    const at = (index: number) => this.registersNow.readBigInt64LE(index * 8);
    const args = [at(14), at(13), at(12)];
    this.calls.push(['call', at(10), ...args]);
    this.registersNow = Buffer.from(this.registersNow);
    this.registersNow.writeBigInt64LE(this.answer(at(10), args), 10 * 8);
  }

  detach(pid: Pid): void {
    this.#did('detach', pid);
    this.onTraced(pid, 0);
  }

  poll(pid: Pid): number | undefined {
    const failure = this.failing.get('poll');
    if (failure) throw failure;
    if (this.stops.length === 0) throw new FsError('ECHILD', `no news of ${pid}`);
    return this.stops.shift();
  }

  registers(_pid: Pid, note: number, size: number): Buffer {
    return note === NT_PRSTATUS ? Buffer.from(this.registersNow.subarray(0, size)) : Buffer.alloc(size);
  }

  setRegisters(pid: Pid, note: number, bytes: Uint8Array): void {
    this.#did('set registers', pid, note);
    if (note === NT_PRSTATUS) this.registersNow = Buffer.from(bytes);
  }

  signalMask(): bigint {
    return this.mask;
  }

  setSignalMask(pid: Pid, mask: bigint): void {
    this.#did('set mask', pid, mask);
    this.mask = mask;
  }

  memory(_pid: Pid, _address: bigint, size: number): Buffer {
    return Buffer.concat([INSTRUCTION, Buffer.alloc(size)]).subarray(0, size);
  }

  vdso(): bigint {
    return 0x7000n;
  }

  #did(what: string, ...values: (number | bigint)[]): void {
    this.calls.push([what, ...values]);
    const failure = this.failing.get(what);
    if (failure) throw failure;
  }
}
