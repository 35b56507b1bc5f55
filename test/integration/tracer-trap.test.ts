import { expect, it } from 'vitest';
import { TracerProcess } from '../../src/kernel/tracer-process.ts';
import { INIT_BINARY } from '../support/launched.ts';
import { POLLED, statusOf, target, traceeOf, UMASK, withCgroup, type Target } from '../support/traced.ts';

withCgroup();

const ROUNDS = 300;
/** Until when after the beginning of a round: all of it takes about as long. */
const LATEST_US = 800;
const OFTEN = { timeout: 5000, interval: 1 };
const SIGTRAP_BIT = 0x10;
/** As many as a program may have. */
const CALLS = [0o1n, 0o2n, 0o3n, 0o4n, 0o5n, 0o6n, 0o7n, 0o22n].map((mask) => ({ number: UMASK, args: [mask] }));

/** Says what it was sent. `prepare`: what it does about SIGTRAP. */
async function python(prepare: string): Promise<Target> {
  const child = target(
    'python3',
    '-uc',
    `import os, signal
got = lambda number, frame: os.write(1, b"%d " % number)
signal.signal(signal.SIGUSR1, lambda *_: signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTRAP]))
${prepare}
os.write(1, b"ready ")
while True: signal.pause()`,
  );
  await expect.poll(child.output, POLLED).toBe('ready ');
  return child;
}

const has = (child: Target, key: string) =>
  (Number.parseInt(statusOf(child.pid, key)!.slice(-4), 16) & SIGTRAP_BIT) !== 0;

/** Sends SIGTRAP when it is told to, so many microseconds later. */
const STRIKER = `import os, sys, time
for line in sys.stdin:
    pid, after = map(int, line.split())
    end = time.monotonic_ns() + 1000 * after
    while time.monotonic_ns() < end: pass
    os.kill(pid, 5)
    print("struck", flush=True)`;

/** Calls, again and again, and a SIGTRAP somewhere in each round. */
async function struck(child: Target, onRound: (round: number) => Promise<unknown>): Promise<void> {
  const link = new TracerProcess(INIT_BINARY);
  const striker = target('python3', '-uc', STRIKER);
  for (let round = 1; round <= ROUNDS; round++) {
    const tracee = traceeOf(child.pid, link);
    striker.stdin?.write(`${child.pid} ${(round * 7) % LATEST_US}\n`);
    if (!(await tracee.seizeAndCall(CALLS, { facts: [], joins: undefined }))) {
      await tracee.stopped();
      await tracee.call(CALLS);
    }
    await expect.poll(() => striker.output().split('struck').length - 1, OFTEN).toBe(round);
    await onRound(round);
  }
}

it('gives a process every SIGTRAP that somebody sends it while it makes calls', async () => {
  const child = await python('signal.signal(signal.SIGTRAP, got)');
  await struck(child, async (round) => {
    await expect.poll(() => child.output().split('5 ').length - 1, OFTEN).toBe(round);
  });
  expect([has(child, 'SigCgt'), statusOf(child.pid, 'Umask')]).toEqual([true, '0022']);
});

it('leaves a process alone that ignores SIGTRAP', async () => {
  const child = await python('signal.signal(signal.SIGTRAP, signal.SIG_IGN)');
  await struck(child, () => Promise.resolve());
  expect([has(child, 'SigIgn'), has(child, 'SigBlk'), child.output()]).toEqual([true, false, 'ready ']);
});

it('leaves SIGTRAP pending for a process that blocks it', async () => {
  const child = await python(
    'signal.signal(signal.SIGTRAP, got); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTRAP])',
  );
  await struck(child, () => Promise.resolve());
  expect([has(child, 'ShdPnd'), has(child, 'SigBlk'), has(child, 'SigCgt')]).toEqual([true, true, true]);
  child.kill('SIGUSR1');
  await expect.poll(child.output, POLLED).toBe('ready 5 ');
});
