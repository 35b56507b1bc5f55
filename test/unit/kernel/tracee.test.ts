import { describe, expect, test } from 'vitest';
import { FsError } from '../../../src/errno.ts';
import type { Pid } from '../../../src/ids.ts';
import { ARCHITECTURES } from '../../../src/kernel/architecture.ts';
import { Tracee } from '../../../src/kernel/tracee.ts';
import { CALL_STOP, ENDED, EVENT_STOP, FakePtrace, signalStop } from '../../support/fake-ptrace.ts';

const PID = 50 as Pid;
const ALL = 0xffff_ffff_ffff_ffffn;
const SIGSTOP = 19;

function traced() {
  const ptrace = new FakePtrace();
  ptrace.registersNow.writeBigInt64LE(-516n, 10 * 8);
  ptrace.registersNow.writeBigInt64LE(230n, 15 * 8);
  const tracee = new Tracee({ ptrace, architecture: ARCHITECTURES['x64'] }, PID);
  return { ptrace, tracee, before: Buffer.from(ptrace.registersNow), did: () => ptrace.calls.map(([what]) => what) };
}

async function stopped() {
  const it = traced();
  it.tracee.interrupt();
  await it.tracee.stopped();
  return it;
}

const errnoOf = async (action: () => unknown) => {
  try {
    await action();
    return 'none';
  } catch (error) {
    return (error as FsError).errno;
  }
};

describe('Tracee.stopped', () => {
  test('passes on what signals come first', async () => {
    const { ptrace, tracee } = traced();
    ptrace.stops = [undefined, signalStop(10), undefined, signalStop(SIGSTOP), EVENT_STOP];
    await tracee.stopped();
    expect(ptrace.calls).toEqual([
      ['seize', PID],
      ['resume to stop', PID, 10],
      ['resume to stop', PID, SIGSTOP],
    ]);
  });

  test.each([
    ['dies', () => [ENDED]],
    ['is gone', () => []],
  ])('is ESRCH for one that %s', async (_, stops) => {
    const { ptrace, tracee } = traced();
    ptrace.stops = stops();
    expect(await errnoOf(() => tracee.stopped())).toBe('ESRCH');
  });

  test('is EBUSY for one that does not stop, which is let go when it does', async () => {
    const { ptrace, tracee, did } = traced();
    ptrace.stops = new Proxy([], { get: (_, key) => (key === 'length' ? 1 : () => undefined) });
    expect(await errnoOf(() => tracee.stopped())).toBe('EBUSY');
    expect(did()).toEqual(['seize']);
    ptrace.stops = [EVENT_STOP];
    await expect.poll(did).toEqual(['seize', 'detach']);
  });
});

describe('Tracee.call', () => {
  test('has the process do it with all signals held back, and leaves registers and mask as they were', async () => {
    const { ptrace, tracee, before } = await stopped();
    ptrace.answer = (number) => (number === 434n ? 9n : 0n);
    tracee.begin();
    expect(ptrace.mask).toBe(ALL);
    expect(tracee.call('pidfd_open', 434n, 77n, 0n)).toBe(9n);
    expect(tracee.call('setns', 308n, 9n, 0x2000_0000n)).toBe(0n);
    tracee.end();
    expect(ptrace.calls.filter(([what]) => what === 'call').map((call) => call.slice(1, 4))).toEqual([
      [434n, 77n, 0n],
      [308n, 9n, 0x2000_0000n],
    ]);
    expect(ptrace.registersNow.equals(before)).toBe(true);
    expect(ptrace.mask).toBe(0x10n);
    expect(ptrace.calls.at(-1)).toEqual(['detach', PID]);
  });

  test("throws the call's errno, and all is put back all the same", async () => {
    const { ptrace, tracee, before } = await stopped();
    ptrace.answer = () => -1n;
    tracee.begin();
    expect(await errnoOf(() => tracee.call('setns', 308n, 9n, 0n))).toBe('EPERM');
    tracee.end();
    expect([ptrace.registersNow.equals(before), ptrace.mask]).toEqual([true, 0x10n]);
  });

  test('passes stops by job control on the way', async () => {
    const { ptrace, tracee } = await stopped();
    tracee.begin();
    ptrace.stops = [signalStop(SIGSTOP), EVENT_STOP, CALL_STOP, EVENT_STOP, CALL_STOP];
    tracee.call('close', 3n, 9n);
    expect(ptrace.calls.filter(([what]) => what === 'resume to call').map((call) => call[2])).toEqual([
      0,
      SIGSTOP,
      0,
      0,
      0,
    ]);
  });

  test('is ESRCH when the process is killed meanwhile, which the end survives', async () => {
    const { ptrace, tracee } = await stopped();
    tracee.begin();
    ptrace.stops = [ENDED];
    expect(await errnoOf(() => tracee.call('close', 3n, 9n))).toBe('ESRCH');
    ptrace.failing.set('set registers', new FsError('ESRCH', 'gone'));
    tracee.end();
  });

  test('gives the call under way another result where the caller is the process', async () => {
    const { ptrace, tracee } = await stopped();
    tracee.end(1);
    expect([10, 15].map((index) => ptrace.registersNow.readBigInt64LE(index * 8))).toEqual([-1n, -1n]);
  });

  test('refuses a program of another word length', async () => {
    const { ptrace, tracee } = await stopped();
    ptrace.registersNow = Buffer.alloc(68);
    expect(
      await errnoOf(() => {
        tracee.begin();
      }),
    ).toBe('ENOTSUP');
    expect(ptrace.mask).toBe(0x10n);
  });

  test('refuses a process without the instruction, before anything is changed', async () => {
    const { ptrace, tracee } = await stopped();
    ptrace.memory = () => Buffer.alloc(0);
    expect(
      await errnoOf(() => {
        tracee.begin();
      }),
    ).toBe('ENOTSUP');
    expect(ptrace.mask).toBe(0x10n);
  });
});

test('a machine that is not known is ENOSYS', async () => {
  expect(await errnoOf(() => new Tracee({ ptrace: new FakePtrace(), architecture: undefined }, PID))).toBe('ENOSYS');
});
