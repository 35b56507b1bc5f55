import { describe, expect, test } from 'vitest';
import type { FsError } from '../../../src/errno.ts';
import type { Pid } from '../../../src/ids.ts';
import { FakeTracer } from '../../support/fake-tracer.ts';

const PID = 50 as Pid;

async function stopped() {
  const tracer = new FakeTracer();
  const tracee = await tracer.seize(PID);
  await tracee.stopped();
  return { tracer, tracee };
}

const errnoOf = async (action: () => unknown) => {
  try {
    await action();
    return 'none';
  } catch (error) {
    return (error as FsError).errno;
  }
};

describe('Tracee.call', () => {
  test('makes the calls in order, with the result of one as argument of another, and lets it go', async () => {
    const { tracer, tracee } = await stopped();
    tracer.answer = (number) => (number === 434n ? 9n : 0n);
    const opened = { resultOf: 0 };
    await tracee.call([
      { number: 434n, args: [77n, 0n] },
      { number: 308n, args: [opened, 0x2000_0000n] },
      { number: 3n, args: [opened], always: true },
    ]);
    expect(tracer.made.map((call) => call.slice(0, 3))).toEqual([
      [434n, 77n, 0n],
      [308n, 9n, 0x2000_0000n],
      [3n, 9n, expect.anything()],
    ]);
    expect([tracer.did, tracer.released]).toEqual([['seize', 'stopped', 'run'], 1]);
    await tracee.end();
    expect(tracer.released).toBe(1);
  });

  test('throws the errno of what failed; what cleans up is done all the same; then it stands still until the end', async () => {
    const { tracer, tracee } = await stopped();
    tracer.answer = (number) => (number === 308n ? -1n : 9n);
    const calls = [
      { number: 434n, args: [77n] },
      { number: 308n, args: [{ resultOf: 0 }] },
      { number: 272n, args: [] },
      { number: 3n, args: [{ resultOf: 0 }], always: true },
    ];
    expect(await errnoOf(() => tracee.call(calls))).toBe('EPERM');
    expect(tracer.made.map(([number]) => number)).toEqual([434n, 308n, 3n]);
    expect(tracer.released).toBe(0);
    await tracee.end();
    expect([tracer.ended, tracer.released]).toEqual([undefined, 1]);
  });

  test('uses the instruction of the call that was interrupted, else that of the vDSO', async () => {
    const { tracer, tracee } = await stopped();
    const places: bigint[] = [];
    tracer.onRun = ({ steps, place }) => {
      places.push(...steps.map(() => place as bigint));
    };
    tracer.memory.read = (_pid, address, size) =>
      Buffer.concat([Buffer.from(address === 0x7000n ? [0x90, 0x90, 0x0f, 0x05] : []), Buffer.alloc(size)]).subarray(
        0,
        size,
      );
    await tracee.call([{ number: 39n, args: [] }]);
    tracer.instruction = Buffer.from([0xcd, 0x80, 0, 0, 0, 0, 0, 0]);
    const other = await tracer.seize(PID);
    await other.stopped();
    await other.call([{ number: 39n, args: [] }]);
    expect(places).toEqual([0x5000n, 0x7002n]);
  });

  test.each<[string, (tracer: FakeTracer) => void]>([
    [
      'of another word length',
      (tracer) => {
        tracer.registers = Buffer.alloc(68);
      },
    ],
    [
      'without the instruction',
      (tracer) => {
        tracer.memory.bytes = Buffer.alloc(0);
        tracer.instruction = Buffer.alloc(8);
      },
    ],
  ])('refuses a program %s, before anything is done', async (_, prepare) => {
    const tracer = new FakeTracer();
    prepare(tracer);
    const tracee = await tracer.seize(PID);
    await tracee.stopped();
    expect(await errnoOf(() => tracee.call([{ number: 39n, args: [] }]))).toBe('ENOTSUP');
    expect(tracer.made).toEqual([]);
    await tracee.end();
    expect(tracer.released).toBe(1);
  });
});

describe('Tracee.seizeAndCall', () => {
  const CALLS = [{ number: 39n, args: [] }];
  const NOTHING = { facts: [], joins: undefined };
  const FACT = { how: 'whole', path: '/proc/50/cgroup', text: '0::/\n' } as const;

  test('makes the calls at once where all is so, and lets it go', async () => {
    const tracer = new FakeTracer();
    const joined: unknown[] = [];
    tracer.onJoin = (...words) => joined.push(words);
    const tracee = tracer.take(PID);
    expect(await tracee.seizeAndCall(CALLS, { facts: [FACT], joins: '/web/cgroup.procs' })).toBe(true);
    expect([tracer.made.length, joined, tracer.released]).toEqual([1, [['/web/cgroup.procs', PID]], 1]);
  });

  test.each<[string, (tracer: FakeTracer) => void]>([
    [
      'something has changed',
      (tracer) => {
        tracer.isSo = ({ path }) => path !== FACT.path;
      },
    ],
    [
      'it was not interrupted in a call',
      (tracer) => {
        tracer.instruction = Buffer.alloc(8);
      },
    ],
  ])('does nothing where %s: it stands still, and can be made to', async (_, prepare) => {
    const tracer = new FakeTracer();
    prepare(tracer);
    const tracee = tracer.take(PID);
    expect(await tracee.seizeAndCall(CALLS, { facts: [FACT], joins: undefined })).toBe(false);
    expect([tracer.made, tracer.released]).toEqual([[], 0]);
    await tracee.stopped();
    await tracee.call(CALLS);
    expect([tracer.did, tracer.made.length, tracer.released]).toEqual([['seize', 'stopped', 'run'], 1, 1]);
  });

  test('throws what a call was refused with; it stands still until the end', async () => {
    const tracer = new FakeTracer();
    tracer.answer = () => -1n;
    const tracee = tracer.take(PID);
    expect(await errnoOf(() => tracee.seizeAndCall(CALLS, NOTHING))).toBe('EPERM');
    expect(tracer.released).toBe(0);
    await tracee.end();
    expect([tracer.did.at(-1), tracer.released]).toEqual(['end', 1]);
  });

  test('has nothing to let go of where it could not be stopped', async () => {
    const tracer = new FakeTracer();
    tracer.failing.set('stopped', 'ESRCH');
    const tracee = tracer.take(PID);
    expect(await errnoOf(() => tracee.seizeAndCall(CALLS, NOTHING))).toBe('ESRCH');
    await tracee.end();
    expect([tracer.did, tracer.released]).toEqual([['seize', 'stopped'], 1]);
  });
});

describe('Tracee.end', () => {
  test('gives the tracer of one back that was never seized', async () => {
    const tracer = new FakeTracer();
    await tracer.take(PID).end();
    expect([tracer.did, tracer.released]).toEqual([[], 1]);
  });

  test('gives the call under way another result where the caller is the process', async () => {
    const { tracer, tracee } = await stopped();
    await tracee.end(1);
    expect([10, 15].map((index) => tracer.ended?.readBigInt64LE(index * 8))).toEqual([-1n, -1n]);
  });

  test.each(['EBUSY', 'ESRCH'] as const)('has nothing to let go of after a stop that was %s', async (errno) => {
    const tracer = new FakeTracer();
    tracer.failing.set('stopped', errno);
    const tracee = await tracer.seize(PID);
    expect(await errnoOf(() => tracee.stopped())).toBe(errno);
    await tracee.end();
    expect([tracer.did, tracer.released]).toEqual([['seize', 'stopped'], 1]);
  });

  test('waits for the stop of one that was seized only, which cannot be let go before', async () => {
    const tracer = new FakeTracer();
    const tracee = await tracer.seize(PID);
    await tracee.end();
    expect([tracer.did, tracer.released]).toEqual([['seize', 'stopped', 'end'], 1]);
  });
});
