/** A 64-bit word of registers, by its index, and what it is. */
export type Word = readonly [index: number, value: bigint];

/** What tracing a process takes to know of its processor: one row per machine. Registers are as PTRACE_GETREGSET gives them. */
export interface Architecture {
  readonly name: string;
  /** Whether entering was tried on such a machine, not only on recorded registers. */
  readonly tested: boolean;
  /** Bytes of the general registers (NT_PRSTATUS); another size is a program of another word length. */
  readonly registerBytes: number;
  /** The instruction that enters the kernel. */
  readonly instruction: Buffer;
  /** System call numbers that differ between machines. */
  readonly calls: Readonly<
    Record<'close' | 'unshare' | 'setns' | 'prctl' | 'setgroups' | 'setresgid' | 'setresuid', bigint>
  >;
  /** A further set with the number of the call under way, set to -1 where it must not be restarted. */
  readonly callNote: number | undefined;
  /** 64-bit word of the registers that says which instruction is next. */
  readonly placeWord: number;
  /** How many bytes before that the instruction of an interrupted system call begins; `undefined` where it is not to be had so. */
  readonly callBefore: number | undefined;
  /** Whether these registers are those of a system call that was interrupted, and where its instruction would be. */
  interruptedAt(registers: Buffer): bigint | undefined;
  /** What registers the instruction that enters the kernel makes this call with; the others mean nothing to it. */
  calling(number: bigint, args: readonly bigint[]): Word[];
  /** 64-bit word of a call's argument, by its number from 0, and of its result: negative is an errno. */
  argumentWord(index: number): number;
  readonly resultWord: number;
  /** The registers of a call that is over, with another result. */
  answering(registers: Buffer, result: bigint): Buffer;
}

/** linux/elf.h */
const NT_ARM_SYSTEM_CALL = 0x404;

const WORD = 8;
const NO_CALL = -1n;

/** Index of the 64-bit words of x86-64's `user_regs_struct` (sys/user.h). */
const X86 = { r10: 7, r9: 8, r8: 9, rax: 10, rdx: 12, rsi: 13, rdi: 14, origRax: 15, rip: 16 } as const;
const X86_ARGUMENTS = [X86.rdi, X86.rsi, X86.rdx, X86.r10, X86.r8, X86.r9];

/** syscall(2), "Architecture calling conventions". The kernel restarts a call by what is in rax while orig_rax is no -1. */
const x86: Architecture = {
  name: 'x86-64',
  tested: true,
  registerBytes: 27 * WORD,
  instruction: Buffer.from([0x0f, 0x05]),
  calls: { close: 3n, unshare: 272n, setns: 308n, prctl: 157n, setgroups: 116n, setresgid: 119n, setresuid: 117n },
  callNote: undefined,
  placeWord: X86.rip,
  callBefore: 2,
  interruptedAt: (registers) =>
    word(registers, X86.origRax) < 0n ? undefined : BigInt.asUintN(64, word(registers, X86.rip) - 2n),
  calling: (number, args) => [
    ...args.map((value, index): Word => [X86_ARGUMENTS[index] ?? X86.r9, value]),
    [X86.rax, number],
    [X86.origRax, NO_CALL],
  ],
  argumentWord: (index) => X86_ARGUMENTS[index] ?? X86.r9,
  resultWord: X86.rax,
  answering: (registers, result) =>
    changed(registers, [
      [X86.rax, result],
      [X86.origRax, NO_CALL],
    ]),
};

/** Index of the words of arm64's `user_pt_regs` (asm/ptrace.h): x0 to x30, sp, pc, pstate. */
const ARM = { x0: 0, x8: 8, pc: 32 } as const;

/**
 * By the kernel's sources and the manual pages, not tried. Before a tracee stops, the kernel has set pc back to the
 * instruction of a call to be restarted, and x0 to its first argument (arch/arm64/kernel/signal.c, do_signal): the saved
 * registers restart it by themselves. A sleep with a relative timeout then begins anew.
 */
const arm: Architecture = {
  name: 'aarch64',
  tested: false,
  registerBytes: 34 * WORD,
  instruction: Buffer.from([0x01, 0x00, 0x00, 0xd4]),
  calls: { close: 57n, unshare: 97n, setns: 268n, prctl: 167n, setgroups: 159n, setresgid: 149n, setresuid: 147n },
  callNote: NT_ARM_SYSTEM_CALL,
  placeWord: ARM.pc,
  callBefore: undefined,
  // Never at the place itself: there the kernel may put the number of restart_syscall(2) into x8.
  interruptedAt: () => undefined,
  calling: (number, args) => [...args.map((value, index): Word => [ARM.x0 + index, value]), [ARM.x8, number]],
  argumentWord: (index) => ARM.x0 + index,
  resultWord: ARM.x0,
  answering: (registers, result) => changed(registers, [[ARM.x0, result]]),
};

/** By Node's name of the machine. */
export const ARCHITECTURES: Readonly<Partial<Record<string, Architecture>>> = { x64: x86, arm64: arm };

function word(registers: Buffer, index: number): bigint {
  return registers.readBigInt64LE(index * WORD);
}

function changed(registers: Buffer, words: readonly Word[]): Buffer {
  const copy = Buffer.from(registers);
  for (const [index, value] of words) copy.writeBigInt64LE(BigInt.asIntN(64, value), index * WORD);
  return copy;
}
