import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, vi } from 'vitest';
import { findHierarchy } from '../../src/cgroup/hierarchy.ts';
import { FsError } from '../../src/errno.ts';
import type { Pid } from '../../src/ids.ts';
import { ARCHITECTURES } from '../../src/kernel/architecture.ts';
import { Tracee } from '../../src/kernel/tracee.ts';
import { TracerProcess } from '../../src/kernel/tracer-process.ts';
import { INIT_BINARY } from './launched.ts';

/** umask(2) on x86-64: a call that shows. */
export const UMASK = 95n;
export const POLLED = { timeout: 10_000, interval: 20 };

let cgroup = '';

export interface Target extends ChildProcess {
  readonly pid: number;
  readonly output: () => string;
}

/** For all tests of a file: a cgroup, in which all targets are, and with which they end. */
export function withCgroup(): () => string {
  beforeAll(() => {
    cgroup = fs.mkdtempSync(path.join(findHierarchy(fs).mountPoint, 'nsdir-tracer-'));
  });
  afterAll(async () => {
    fs.writeFileSync(path.join(cgroup, 'cgroup.kill'), '1');
    await vi.waitFor(() => {
      for (const entry of fs.readdirSync(cgroup, { withFileTypes: true }))
        if (entry.isDirectory()) fs.rmdirSync(path.join(cgroup, entry.name));
      fs.rmdirSync(cgroup);
    }, POLLED);
  });
  return () => cgroup;
}

export function target(command: string, ...args: string[]): Target {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  fs.writeFileSync(path.join(cgroup, 'cgroup.procs'), String(child.pid));
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  return Object.assign(child, { pid: child.pid ?? 0, output: () => said });
}

export function statusOf(pid: number, key: string): string | undefined {
  return new RegExp(`^${key}:\\t(.*)$`, 'm').exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
}

/** By a tracer of its own, or this one. */
export function traceeOf(pid: number, link = new TracerProcess(INIT_BINARY)): Tracee {
  return new Tracee(link, ARCHITECTURES['x64']!, pid as Pid, () => undefined);
}

export const errnoOf = async (promise: Promise<unknown>) =>
  await promise.then(
    () => 'none',
    (error: unknown) => (error instanceof FsError ? error.errno : String(error)),
  );
