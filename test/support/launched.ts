import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { execa } from 'execa';

import { findHierarchy } from '../../src/cgroup/hierarchy.ts';
import type { PinnedProcess } from '../../src/container/container.ts';
import { type ExitStatus, Launcher, type LauncherOptions, type StartSpec } from '../../src/container/launcher.ts';
import type { Pid, Serial } from '../../src/ids.ts';
import { cloneFlags, DEFAULT_KINDS } from '../../src/namespaces.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const INIT_BINARY = path.join(ROOT, 'dist/nsdir-init');

const WAIT_LIMIT_MS = 5000;
const WAIT_STEP_MS = 5;

export interface Exit {
  readonly serial: Serial;
  readonly pid: Pid;
  readonly status: ExitStatus;
}

/** A launcher of the test's own, with a cgroup and a directory that are gone with it. */
export class Launched implements AsyncDisposable {
  readonly directory = fs.mkdtempSync('/var/tmp/nsdir-launcher-');
  readonly cgroup = fs.mkdtempSync(path.join(findHierarchy(fs).mountPoint, 'nsdir-launcher-'));
  readonly exits: Exit[] = [];
  readonly logged: string[] = [];
  lost = 0;
  launcher!: Launcher;
  #nextSerial = 1;

  static async open(): Promise<Launched> {
    execFileSync(path.join(ROOT, 'scripts/build-init'), { cwd: '/' });
    const launched = new Launched();
    launched.launcher = await launched.connect();
    return launched;
  }

  /** Another daemon's connection. */
  async connect(options: Partial<LauncherOptions> = {}): Promise<Launcher> {
    const note = (_: unknown, message?: string) => {
      this.logged.push(message ?? '');
    };
    return await Launcher.open({
      binary: INIT_BINARY,
      socket: this.at('launcher.sock'),
      pidFile: this.at('launcher.pid'),
      log: { debug: note, info: note, warn: note, error: note },
      onExit: (serial, pid, status) => {
        this.exits.push({ serial, pid, status });
      },
      onLost: () => {
        this.lost++;
      },
      ...options,
    });
  }

  at(name: string): string {
    return path.join(this.directory, name);
  }

  get launcherPid(): number {
    return Number(fs.readFileSync(this.at('launcher.pid'), 'utf8'));
  }

  /** What a container is started with unless said otherwise; its cgroup exists. */
  spec(changes: Partial<StartSpec> = {}): StartSpec {
    const serial = changes.serial ?? (this.#nextSerial++ as Serial);
    const cgroupDir = changes.cgroupDir ?? path.join(this.cgroup, String(serial));
    fs.mkdirSync(cgroupDir, { recursive: true });
    return {
      serial,
      cgroupDir,
      flags: cloneFlags(DEFAULT_KINDS),
      hostname: `box${serial}`,
      parentInit: 0,
      mountPoint: '/namespaces',
      path: '',
      inode: 0,
      initSocket: this.at(`${serial}.sock`),
      ...changes,
    };
  }

  /** Starts a container; what is returned can be asked to run commands. */
  async start(changes: Partial<StartSpec> = {}): Promise<PinnedProcess & { readonly spec: StartSpec; run: Run }> {
    const spec = this.spec(changes);
    const init = await this.launcher.start(spec);
    const run: Run = async (command, { flags = [], ...options } = {}) => {
      const words = ['run', ...flags, spec.initSocket, '--', ...command];
      const { exitCode, stdout, stderr } = await execa(INIT_BINARY, words, { reject: false, ...options });
      return { exitCode, stdout, stderr };
    };
    return { ...init, spec, run };
  }

  kill(cgroup = this.cgroup): void {
    fs.writeFileSync(path.join(cgroup, 'cgroup.kill'), '1');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await until('the cgroup is empty', () =>
      fs.readFileSync(path.join(this.cgroup, 'cgroup.events'), 'utf8').includes('populated 0'),
    );
    await until('the launcher quits', () => this.launcher.quit());
    this.launcher.close();
    removeCgroups(this.cgroup);
    fs.rmSync(this.directory, { recursive: true });
  }
}

export interface RunOptions {
  readonly flags?: readonly string[];
  readonly input?: string;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

export interface RunResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type Run = (command: readonly string[], options?: RunOptions) => Promise<RunResult>;

function removeCgroups(directory: string): void {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroups(path.join(directory, entry.name));
  }
  fs.rmdirSync(directory);
}

/** Waits until `condition` holds; fails naming `what` if it does not in time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_LIMIT_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${WAIT_LIMIT_MS} ms in vain until ${what}`);
    await delay(WAIT_STEP_MS);
  }
}
