import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { exitStatus, runBounded } from '../../mount/device/child.ts';
import { clearAway, healthOf, isOurs, mountsAt } from '../../mount/device/mountpoint.ts';
import { type Instance, runFiles } from '../instance.ts';
import type { Adapter } from './adapter.ts';
import { Failure } from './command.ts';
import { daemonProcesses, endDaemon, killDaemon, untilServing } from './daemon-processes.ts';
import { superviseScript } from './package.ts';

/** What a daemon may need until its mount answers, reading a large journal on a busy machine included. */
const START_TIMEOUT_MS = 30_000;

const MKDIR_TIMEOUT_MS = 5_000;

const LOG_TAIL_LINES = 12;
const LOG_TAIL_BYTES = 8192;

/**
 * Starts the supervisor, which mounts and runs the daemon, in a session of its own, and waits until the mount answers.
 * Resolves to the daemon's pid. The caller holds the instance's lock and has cleared the mount point.
 */
export async function bringUp(instance: Instance, adapter: Adapter, daemonOptions: readonly string[]): Promise<number> {
  const log = await open(runFiles(instance).daemonLog, 'a', 0o600);
  const logStart = (await log.stat()).size;
  const child = spawn(await superviseScript(), superviseArguments(instance, adapter, daemonOptions), {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: superviseEnvironment(adapter),
  });
  const failure = once(child, 'error').then(([error]) => error as Error);
  await log.close();
  if (child.pid === undefined) throw new Failure(`Cannot start the supervisor: ${(await failure).message}`);
  child.unref();
  if (await untilServing(child, () => isServing(instance), START_TIMEOUT_MS)) {
    return (await daemonProcesses(instance)).daemon?.pid ?? child.pid;
  }
  if (!(await endDaemon(instance))) await killDaemon(instance);
  await clearAway(instance.mountPoint);
  throw new Failure(`${instance.mountPoint} could not be mounted:\n${await logSince(instance, logStart)}`);
}

/**
 * Runs the supervisor as a child on our own terminal; resolves to the exit status when it ends, and the mount with it. `settled` is called when
 * the mount answers, or does not in time.
 */
export async function superviseInForeground(
  instance: Instance,
  adapter: Adapter,
  daemonOptions: readonly string[],
  settled: () => Promise<void>,
): Promise<number> {
  const child: ChildProcess = spawn(await superviseScript(), superviseArguments(instance, adapter, daemonOptions), {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: superviseEnvironment(adapter),
  });
  const pass = () => child.kill('SIGTERM');
  process.on('SIGTERM', pass).on('SIGINT', pass);
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  if (child.pid !== undefined) await untilServing(child, () => isServing(instance), START_TIMEOUT_MS);
  await settled();
  const status = exitStatus(...(await ended));
  await clearBehind(instance);
  return status;
}

/** Nobody would start the daemon of a foreground mount anew: what is left would only answer ENOTCONN. */
async function clearBehind(instance: Instance): Promise<void> {
  // Another `nsdir mount` may have taken over.
  if ((await daemonProcesses(instance)).daemon === undefined) await clearAway(instance.mountPoint);
}

/** Makes what the supervisor needs: the run directory, the mount point if it is not there. */
export async function makeDirectories(instance: Instance): Promise<void> {
  // Not by Node, whose recursive mkdir never ends in a file system that refuses with ENOENT, as /proc does.
  const { status, stderr } = await runBounded('mkdir', ['-p', '--', instance.mountPoint], MKDIR_TIMEOUT_MS);
  if (status !== 0) throw new Failure(`${instance.mountPoint} cannot be made: ${stderr}`);
  await mkdir(instance.runDir, { recursive: true, mode: 0o700 });
}

function superviseArguments(instance: Instance, adapter: Adapter, daemonOptions: readonly string[]): string[] {
  const { mountPoint, runDir, stateDir, cgroupName } = instance;
  return [mountPoint, runDir, '--state-dir', stateDir, '--cgroup', cgroupName, '--adapter', adapter, ...daemonOptions];
}

function superviseEnvironment(adapter: Adapter): NodeJS.ProcessEnv {
  return { ...process.env, NSDIR_NODE: process.execPath, NSDIR_ADAPTER: adapter };
}

async function isServing(instance: Instance): Promise<boolean> {
  const top = (await mountsAt(instance.mountPoint)).at(-1);
  if (top === undefined || !isOurs(top)) return false;
  if ((await daemonProcesses(instance)).daemon === undefined) return false;
  return (await healthOf(instance.mountPoint)).alive;
}

/** The last lines that were logged since the log had `start` bytes. */
async function logSince(instance: Instance, start: number): Promise<string> {
  const { daemonLog } = runFiles(instance);
  const { size } = await stat(daemonLog);
  const text = (await readFile(daemonLog)).toString('utf8', Math.max(start, size - LOG_TAIL_BYTES));
  const lines = text.trimEnd().split('\n').slice(-LOG_TAIL_LINES);
  return [...lines.map((line) => `  ${line}`), `(the whole log: ${daemonLog})`].join('\n');
}
