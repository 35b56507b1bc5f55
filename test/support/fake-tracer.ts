import { FsError, type Errno } from '../../src/errno.ts';
import type { Pid } from '../../src/ids.ts';
import { ARCHITECTURES } from '../../src/kernel/architecture.ts';
import { Tracee, type Memory } from '../../src/kernel/tracee.ts';
import type { Fact, Outcome, Program, Provided, Stopped, TracerLink } from '../../src/kernel/tracer-link.ts';
import type { Tracer } from '../../src/kernel/tracers.ts';

const X86_BYTES = 27 * 8;
const INSTRUCTION = Buffer.from([0x0f, 0x05]);

/** A call as it was made: number, and the first three arguments. */
export type MadeCall = readonly [number: bigint, ...args: bigint[]];

/** A tracer of tables, on x86-64: it records, and its tracee answers system calls as `answer` says. */
export class FakeTracer implements Tracer, Omit<TracerLink, 'seize' | 'seizeAndRun'> {
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
  /** Whether a fact is so, and how it moves a process into a cgroup, where it is asked to. */
  isSo: (fact: Fact) => boolean = () => true;
  onJoin: (file: string, pid: Pid) => void = () => undefined;
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

  take(pid: Pid): Tracee {
    this.#pid = pid;
    const link: TracerLink = {
      pid: this.pid,
      seize: () => this.#seize(),
      stopped: () => this.stopped(),
      run: (program) => this.run(program),
      seizeAndRun: (_pid, _registers, program, provided) => this.#seizeAndRun(program, provided),
      end: (registers) => {
        this.end(registers);
      },
    };
    return new Tracee(link, ARCHITECTURES['x64']!, pid, () => (this.released += 1), this.memory);
  }

  /** As one that is taken, and seized at once. */
  async seize(pid: Pid): Promise<Tracee> {
    const tracee = this.take(pid);
    await tracee.seize(false);
    return tracee;
  }

  #seize(): Promise<void> {
    this.#do('seize');
    this.onTraced(this.#pid, this.pid);
    return Promise.resolve();
  }

  async #seizeAndRun(program: Program, { facts, joins }: Provided): Promise<Outcome> {
    await this.#seize();
    const stopped = await this.stopped();
    const isAt = typeof program.place === 'bigint' || stopped.instruction.indexOf(program.place) === 0;
    if (!isAt || !facts.every((fact) => this.isSo(fact))) return { stopped, ran: 'changed' };
    if (joins !== undefined) this.onJoin(joins, this.#pid);
    const failed = await this.run(program).catch((error: unknown) => error as FsError);
    return { stopped, ran: failed ?? 'done' };
  }

  async stopped(): Promise<Stopped> {
    await this.stopping;
    this.#do('stopped');
    return { registers: this.registers, instruction: this.instruction };
  }

  async run(program: Program): Promise<void> {
    const { steps, resultWord } = program;
    this.#do('run');
    this.onRun(program);
    const results: bigint[] = [];
    let failed: bigint | undefined;
    for (const { words, patch, always } of steps) {
      const from = patch && results[patch.from]!;
      if ((failed !== undefined && always !== true) || (from !== undefined && from < 0n)) {
        results.push(-125n);
        continue;
      }
      const set = Buffer.from(this.registers);
      for (const [index, value] of words) set.writeBigInt64LE(value, index * 8);
      if (patch && from !== undefined) set.writeBigInt64LE(from, patch.word * 8);
      const at = (index: number) => set.readBigInt64LE(index * 8);
      this.made.push([at(10), at(14), at(13), at(12)]);
      const result = this.answer(at(10));
      results.push(result);
      if (result < 0n) failed ??= result;
    }
    expectResultWord(resultWord);
    if (failed !== undefined) throw new FsError(failed === -1n ? 'EPERM' : 'EINVAL', 'refused');
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
