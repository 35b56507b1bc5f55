import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa, type Options } from 'execa';
import { instanceFor, runFiles, type Instance } from '../../src/instance.ts';
import type { PinnedProcess } from '../../src/proc/pinned.ts';
import { lives, pinnedIn, signal } from './pinned.ts';

/** The built command line, which is what users run. */
export const NSDIR = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** Every command a test runs ends within this, or is a failure. */
const COMMAND_LIMIT_MS = 20_000;

/** What a mount or its end may take on a busy machine; more than the command itself allows for that. */
const MOUNT_LIMIT_MS = 50_000;

/** Of the daemon's log, where a test cannot clean up. */
const LOG_LINES_SHOWN = 20;

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A tree mounted for one test file, in a place of its own, beside whatever else runs on the machine. */
export interface Mounted extends AsyncDisposable {
  /** Absolute path of the mount point. */
  readonly dir: string;
  readonly instance: Instance;
  /** Runs `script` with sh, in the mount point, in a child process with a time limit. Never throws for a status. */
  sh(script: string, options?: Options): Promise<Outcome>;
  /** As `sh`, and throws unless the status is 0; gives standard output without the last newline. */
  ok(script: string, options?: Options): Promise<string>;
  /** As user and group `uid`, without capabilities. */
  as(uid: number, script: string): Promise<Outcome>;
  /** `nsdir ARGS…` for this mount. */
  nsdir(...args: string[]): Promise<Outcome>;
  /** A process in the background; ended by its pid when the test ends. */
  background(command: string, ...args: string[]): ChildProcess;
  daemonPid(): number;
  /** The daemon that serves, to be signalled or waited for; throws between two. */
  daemon(): PinnedProcess;
  /** SIGKILL to the daemon, and waits until another one serves. */
  killDaemon(): Promise<void>;
  /** Absolute path of the cgroup that holds the containers' ones. */
  cgroup(): string;
}

/** Mounts; throws with the command's own words if it cannot. `options` are those of `nsdir mount`. */
export async function mounted(...options: string[]): Promise<Mounted> {
  const base = mkdtempSync('/tmp/nsdir-test-');
  const dir = path.join(base, 'mnt');
  const instance = instanceFor(dir);
  const files = runFiles(instance);
  const children: ChildProcess[] = [];
  const run = async (command: string, args: string[], extra: Options = {}): Promise<Outcome> => {
    const result = await execa(command, args, {
      reject: false,
      timeout: COMMAND_LIMIT_MS,
      killSignal: 'SIGKILL',
      stdin: 'ignore',
      ...extra,
    });
    if (result.timedOut) throw new Error(`${command} ${args.join(' ')} hung: ${String(result.stderr)}`);
    return { status: result.exitCode ?? 255, stdout: String(result.stdout), stderr: String(result.stderr) };
  };
  // The machine is full of other tests' containers: who wants to see them says so.
  const quiet = options.includes('--discovery') ? [] : ['--discovery', 'off'];
  const nsdir = (...args: string[]) =>
    run(process.execPath, [NSDIR, ...args, ...(args[0] === 'mount' ? quiet : [])], {
      env: { NSDIR_MOUNT: dir },
      timeout: /^u?mount$/.test(args[0] ?? '') ? MOUNT_LIMIT_MS : COMMAND_LIMIT_MS,
    });
  const sh = (script: string, extra: Options = {}) => run('sh', ['-c', script], { cwd: dir, ...extra });
  const started = await nsdir('mount', dir, ...options);
  if (started.status !== 0) throw new Error(`cannot mount: ${started.stdout}${started.stderr}`);
  const daemon = () => pinnedIn(files.daemonPid);

  return {
    dir,
    instance,
    sh,
    nsdir,
    daemonPid: () => Number(readFileSync(files.daemonPid, 'utf8')),
    daemon,
    as: (uid, script) =>
      run('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sh', '-c', script], { cwd: dir }),
    async ok(script, extra) {
      const { status, stdout, stderr } = await sh(script, extra);
      if (status !== 0) {
        const { stdout: reasons } = await sh("find . -name .error -exec grep -H '' {} + 2>/dev/null");
        throw new Error(`status ${status} of: ${script}\n${stdout}\n${stderr}\n${reasons}`);
      }
      return stdout;
    },
    background(command, ...args) {
      const child = spawn(command, args, { cwd: dir, stdio: 'ignore' });
      children.push(child);
      return child;
    },
    async killDaemon() {
      const before = daemon();
      signal(before, 'SIGKILL');
      await eventually(() => !lives(before) && lives(daemon()), 'another daemon serves');
    },
    cgroup: () => path.join(cgroup2MountPoint(), instance.cgroupName),
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      const ended = await nsdir('umount', '--kill', '--lazy', dir);
      if (ended.status !== 0) {
        const log = readFileSync(files.daemonLog, 'utf8').split('\n').slice(-LOG_LINES_SHOWN).join('\n');
        throw new Error(`cannot unmount: ${ended.stdout}${ended.stderr}\n${log}`);
      }
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** Asks again and again until it is so; throws after `limitMs`, saying what was waited for: a function is asked then. */
export async function eventually(
  question: () => boolean | Promise<boolean>,
  what: string | (() => string),
  limitMs = 15_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (performance.now() < end) {
    try {
      if (await question()) return;
    } catch {
      // Not yet.
    }
    await sleep(20);
  }
  throw new Error(`not within ${limitMs} ms: ${typeof what === 'string' ? what : what()}`);
}

/** Whether a process of this pid lives and is no zombie. One that may be dead is pinned before: `lives` in pinned.ts. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Where cgroup v2 is mounted. */
export function cgroup2MountPoint(): string {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '));
  if (mount === undefined) throw new Error('no cgroup v2 is mounted');
  return mount.split(' ')[4] ?? '';
}
