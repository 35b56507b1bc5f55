import { FsError, type Errno } from '../../src/errno.ts';
import type { Pid } from '../../src/ids.ts';
import { ARCHITECTURES } from '../../src/kernel/architecture.ts';
import { Tracee, type Memory } from '../../src/kernel/tracee.ts';
import type { Program, Stopped, TracerLink } from '../../src/kernel/tracer-link.ts';
import type { Tracer } from '../../src/kernel/tracers.ts';

const X86_BYTES = 27 * 8;
const INSTRUCTION = Buffer.from([0x0f, 0x05]);

/** A call as it was made: number, and the first three arguments. */
export type MadeCall = readonly [number: bigint, ...args: bigint[]];

/** A tracer of tables, on x86-64: it records, and its tracee answers system calls as `answer` says. */
export class FakeTracer implements Tracer, Omit<TracerLink, 'seize'> {
  readonly pid = 777;
  /** What was done, by name. */
  readonly did: string[] = [];
  readonly made: MadeCall[] = [];
  /** Registers that `end` gave. */
  ended: Buffer | undefined;
  registers = Buffer.alloc(X86_BYTES);
  /** What is found where it was interrupted. */
  instruction: Buffer = Buffer.concat([INSTRUCTION, Buffer.alloc(6)]);
  /** What it refuses, by method. */
  readonly failing = new Map<string, Errno>();
  /** The result of a system call, negative for an errno. */
  answer: (number: bigint) => bigint = () => 0n;
  /** Waited for before it has stopped. */
  stopping: Promise<unknown> = Promise.resolve();
  onRun: (program: Program) => void = () => undefined;
  onTraced: (pid: Pid, tracer: number) => void = () => undefined;
  readonly memory: Memory & { bytes: Buffer } = {
    bytes: INSTRUCTION,
    read(_pid, _address, size) {
      return Buffer.concat([this.bytes, Buffer.alloc(size)]).subarray(0, size);
    },
    vdso: () => 0x7000n,
  };
  released = 0;
  #pid = 0 as Pid;

  constructor() {
    this.registers.writeBigInt64LE(-516n, 10 * 8);
    this.registers.writeBigInt64LE(230n, 15 * 8);
    this.registers.writeBigInt64LE(0x5002n, 16 * 8);
  }

  async seize(pid: Pid): Promise<Tracee> {
    this.#do('seize');
    this.#pid = pid;
    this.onTraced(pid, this.pid);
    const link: TracerLink = {
      pid: this.pid,
      seize: () => Promise.resolve(),
      stopped: () => this.stopped(),
      run: (program) => this.run(program),
      end: (registers) => {
        this.end(registers);
      },
    };
    const tracee = new Tracee(link, ARCHITECTURES['x64']!, pid, () => (this.released += 1), this.memory);
    return Promise.resolve(tracee);
  }

  async stopped(): Promise<Stopped> {
    await this.stopping;
    this.#do('stopped');
    return { registers: this.registers, instruction: this.instruction };
  }

  run(program: Program): Promise<void> {
    const { steps, resultWord } = program;
    this.#do('run');
    this.onRun(program);
    const results: bigint[] = [];
    let failed: bigint | undefined;
    for (const { registers, patch, always } of steps) {
      const from = patch && results[patch.from]!;
      if ((failed !== undefined && always !== true) || (from !== undefined && from < 0n)) {
        results.push(-125n);
        continue;
      }
      const set = Buffer.from(registers);
      if (patch && from !== undefined) set.writeBigInt64LE(from, patch.word * 8);
      const at = (index: number) => set.readBigInt64LE(index * 8);
      this.made.push([at(10), at(14), at(13), at(12)]);
      const result = this.answer(at(10));
      results.push(result);
      if (result < 0n) failed ??= result;
    }
    expectResultWord(resultWord);
    if (failed !== undefined) return Promise.reject(new FsError(failed === -1n ? 'EPERM' : 'EINVAL', 'refused'));
    this.onTraced(this.#pid, 0);
    return Promise.resolve();
  }

  end(registers?: Buffer): void {
    this.did.push('end');
    this.ended = registers;
    this.onTraced(this.#pid, 0);
  }

  #do(what: string): void {
    this.did.push(what);
    const errno = this.failing.get(what);
    if (errno) throw new FsError(errno, errno);
  }
}

/** rax */
function expectResultWord(word: number): void {
  if (word !== 10) throw new Error(`the result of a call on x86-64 is not in word ${word}`);
}
