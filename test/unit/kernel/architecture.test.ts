import { describe, expect, test } from 'vitest';
import { ARCHITECTURES, type Architecture } from '../../../src/kernel/architecture.ts';

/** Words of a register set by index; all others are their own index, so that a stray change shows. */
function registers(words: number, given: Readonly<Record<number, bigint>>): Buffer {
  const bytes = Buffer.alloc(words * 8);
  for (let index = 0; index < words; index++) bytes.writeBigInt64LE(given[index] ?? BigInt(index), index * 8);
  return bytes;
}

/** Index and value of the words that differ. */
function changes(before: Buffer, after: Buffer): Record<number, bigint> {
  const all = Array.from({ length: before.length / 8 }, (_, index) => index);
  const changed = all.filter((index) => before.readBigInt64LE(index * 8) !== after.readBigInt64LE(index * 8));
  return Object.fromEntries(changed.map((index) => [index, after.readBigInt64LE(index * 8)]));
}

const row = (name: string): Architecture => ARCHITECTURES[name]!;

/** Recorded of a `sleep` in clock_nanosleep(2), stopped by PTRACE_INTERRUPT: rax is -ERESTART_RESTARTBLOCK. */
const X86_ASLEEP = { 10: -516n, 11: 0x7f50407a2503n, 12: 0x7ffe33f0n, 15: 230n, 16: 0x7f50407a2503n, 17: 0x33n };
/** Of a shell that computes: orig_rax is -1. */
const X86_BUSY = { 10: 7n, 15: -1n, 16: 0x5600_0000_1000n };

describe('x86-64', () => {
  const x86 = row('x64');

  test('has 27 words and the numbers of unistd_64.h', () => {
    expect([x86.registerBytes, x86.calls, x86.tested]).toEqual([
      216,
      { close: 3n, unshare: 272n, setns: 308n, prctl: 157n, setgroups: 116n, setresgid: 119n, setresuid: 117n },
      true,
    ]);
    expect(x86.instruction.toString('hex')).toBe('0f05');
  });

  test('finds the instruction before the place of an interrupted call, and none where there was no call', () => {
    expect(x86.interruptedAt(registers(27, X86_ASLEEP))).toBe(0x7f50407a2501n);
    expect(x86.interruptedAt(registers(27, X86_BUSY))).toBeUndefined();
  });

  test('makes a call: number, arguments, and nothing to be restarted', () => {
    const words = Object.fromEntries(x86.calling(308n, [5n, 0x2c02_0000n]));
    expect(words).toEqual({ 10: 308n, 13: 0x2c02_0000n, 14: 5n, 15: -1n });
    expect([x86.placeWord, x86.callBefore]).toEqual([16, 2]);
  });

  test('passes six arguments as the kernel takes them', () => {
    const words = new Map(x86.calling(2n, [100n, 101n, 102n, 103n, 104n, 105n]));
    expect([14, 13, 12, 7, 9, 8].map((index) => words.get(index))).toEqual([100n, 101n, 102n, 103n, 104n, 105n]);
  });

  test('says where result and arguments are, and gives another result', () => {
    expect([x86.resultWord, ...[0, 1, 2, 3, 4, 5].map((index) => x86.argumentWord(index))]).toEqual([
      10, 14, 13, 12, 7, 9, 8,
    ]);
    const before = registers(27, { 10: 0n, 15: 88n });
    expect(changes(before, x86.answering(before, -1n))).toEqual({ 10: -1n, 15: -1n });
  });
});

describe('aarch64', () => {
  const arm = row('arm64');
  /** As do_signal leaves them: pc back at the instruction, x0 the first argument, x8 the number. */
  const asleep = { 0: 0n, 1: 0n, 8: 115n, 31: 0xffff_e000n, 32: 0xffff_a100n, 33: 0x6000_0000n };

  test('has 34 words, its own numbers, and says that it was not tried', () => {
    expect([arm.registerBytes, arm.calls, arm.tested]).toEqual([
      272,
      { close: 57n, unshare: 97n, setns: 268n, prctl: 167n, setgroups: 159n, setresgid: 149n, setresuid: 147n },
      false,
    ]);
    expect(arm.instruction.toString('hex')).toBe('010000d4');
  });

  test('never uses the place of an interrupted call, where the kernel may change x8', () => {
    expect(arm.interruptedAt(registers(34, asleep))).toBeUndefined();
    expect(arm.callNote).toBe(0x404);
  });

  test('makes a call', () => {
    expect(Object.fromEntries(arm.calling(268n, [5n, 0x2c02_0000n]))).toEqual({ 0: 5n, 1: 0x2c02_0000n, 8: 268n });
    expect([arm.placeWord, arm.callBefore]).toEqual([32, undefined]);
  });

  test('says where result and arguments are, and gives another result', () => {
    expect([arm.resultWord, arm.argumentWord(0), arm.argumentWord(2)]).toEqual([0, 0, 2]);
    const before = registers(34, { 0: 0n });
    expect(changes(before, arm.answering(before, -1n))).toEqual({ 0: -1n });
  });
});
