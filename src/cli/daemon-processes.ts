import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Instance, runFiles } from '../instance.ts';
import type { PinnedProcess } from '../proc/pinned.ts';
import { pidFrom, signalIfThere, untilGone } from './processes.ts';

/** An instance's processes, as its pid files have it and as still live. */
export interface DaemonProcesses {
  /** The daemon, if it serves. */
  readonly daemon: PinnedProcess | undefined;
  /** The shell that holds the device. */
  readonly supervisor: PinnedProcess | undefined;
}

/** What a daemon that was asked to end may take: its writes, its abort, its detach. */
const END_TIMEOUT_MS = 5_000;

/** SIGKILL works at once, but for a process in an uninterruptible sleep. */
const KILL_TIMEOUT_MS = 2_000;

export async function daemonProcesses(instance: Instance): Promise<DaemonProcesses> {
  const files = runFiles(instance);
  return {
    daemon: await pidFrom(files.daemonPid, ['daemon', instance.mountPoint]),
    supervisor: await pidFrom(files.supervisePid, ['supervise', instance.mountPoint]),
  };
}

/** What one that did not answer for seconds is given still. */
export const STALE_END_TIMEOUT_MS = 1_000;

/** Asks the daemon to end, through its supervisor, and waits. False if one of both still lives after `timeoutMs`. */
export async function endDaemon(instance: Instance, timeoutMs: number = END_TIMEOUT_MS): Promise<boolean> {
  const { daemon, supervisor } = await daemonProcesses(instance);
  const asked = supervisor ?? daemon;
  if (asked === undefined) return true;
  signalIfThere(asked, 'SIGTERM');
  return untilGone(existing({ daemon, supervisor }), timeoutMs);
}

/**
 * Kills what still lives, the supervisor first, since it would start another daemon. Its mount must have been aborted,
 * or its processes may be waiting for themselves.
 */
export async function killDaemon(instance: Instance): Promise<boolean> {
  const found = await daemonProcesses(instance);
  for (const process of existing(found)) signalIfThere(process, 'SIGKILL');
  // A daemon that was only starting has no pid file yet: it ends by itself as its connection is gone.
  return untilGone(existing(found), KILL_TIMEOUT_MS);
}

function existing({ supervisor, daemon }: DaemonProcesses): PinnedProcess[] {
  return [supervisor, daemon].filter((process) => process !== undefined);
}

/** Waits while `condition` does not hold; false if that outlasts `timeoutMs` or `supervisor`, our child, ends. */
export async function untilServing(
  supervisor: ChildProcess,
  condition: () => Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (await condition()) return true;
    if (supervisor.exitCode !== null || supervisor.signalCode !== null) return false;
    await sleep(20);
  }
  return false;
}
