import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PinnedProcess } from '../../src/proc/pinned.ts';
import { isAlive } from '../support/mounted.ts';
import { pinned } from '../support/pinned.ts';

/** A process that is made to enter, and tells how it fared. */
export interface Target {
  readonly kind: string;
  readonly child: ChildProcess;
  readonly pid: number;
  readonly pinned: PinnedProcess;
  readonly log: string;
  /** Real-time signals sent to it while it is one that counts them. */
  sent: number;
}

/** Shells note it if a command fails that cannot; what is executed needs no pid namespace of its own to be waited for. */
const LOOP = (log: string) =>
  `exec 2>>${log}; echo ready >>${log}; n=0; while [ $n -lt 1000000 ]; do sleep 0.01 || echo "fault: sleep said $?" >>${log}; n=$((n+1)); done`;

const PYTHON = (log: string) => `
import os, time, signal
log = open(${JSON.stringify(log)}, 'a', buffering=1)
signal.signal(signal.SIGRTMIN + 1, lambda *_: None)
log.write('ready\\n')
while True:
    try:
        before = time.monotonic()
        time.sleep(0.01)
        if time.monotonic() - before < 0.0099: log.write('fault: slept too short\\n')
    except OSError as error:
        log.write(f'fault: {error}\\n')
`;

/** The program and what it is given, by kind. */
const KINDS: Readonly<Record<string, (log: string, target: string) => readonly string[]>> = {
  noticing: (log, target) => [target, log],
  bash: (log) => ['bash', '-c', LOOP(log)],
  dash: (log) => ['dash', '-c', LOOP(log)],
  busybox: (log) => ['busybox', 'sh', '-c', LOOP(log)],
  python: (log) => ['python3', '-c', PYTHON(log)],
  sleep: () => ['sleep', '1000'],
};

/** Signals a kind does not die of and can be sent at any moment. */
const DEAF: ReadonlySet<string> = new Set(['noticing', 'python']);

const READY_LIMIT_MS = 10_000;

export const TARGET_KINDS = Object.keys(KINDS);

export async function target(kind: string, directory: string, number: number): Promise<Target> {
  const log = path.join(directory, `${kind}-${number}`);
  const [command = '', ...args] = KINDS[kind]?.(log, path.join(directory, 'target')) ?? [];
  const child = spawn(command, args, { stdio: 'ignore', cwd: '/' });
  const made = { kind, child, pid: child.pid ?? 0, pinned: pinned(child.pid), log, sent: 0 };
  for (let waited = 0; waited < READY_LIMIT_MS && kind !== 'sleep' && !said(made).includes('ready'); waited += 10)
    await sleep(10);
  return made;
}

/** Whether it can be sent real-time signals. */
export function counts({ kind }: Target): boolean {
  return DEAF.has(kind);
}

export function lives({ pid, child }: Target): boolean {
  return child.exitCode === null && child.signalCode === null && isAlive(pid);
}

function said({ log }: Target): string {
  try {
    return readFileSync(log, 'utf8');
  } catch {
    return '';
  }
}

/** What it should not have met, after its end. */
export async function faults(ended: Target): Promise<string[]> {
  const { kind, child, pid, sent } = ended;
  const bad = said(ended)
    .split('\n')
    .filter((line) => line.startsWith('fault') || line.includes('rror'));
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  if (!/^TracerPid:\t0$/m.test(status)) bad.push('it is traced still');
  if (kind !== 'noticing') return bad.map((line) => `${kind}: ${line}`);
  const over = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([over, sleep(READY_LIMIT_MS)]);
  const got = Number(/^signals (\d+)$/m.exec(said(ended))?.[1] ?? -1);
  if (got !== sent) bad.push(`${sent} signals were sent, ${got} came`);
  return bad.map((line) => `${kind}: ${line}`);
}
