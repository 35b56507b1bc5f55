import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runFiles, type Instance } from '../../src/instance.ts';
import { detached, processesOf } from './containers.ts';
import type { PinnedProcess } from '../../src/proc/pinned.ts';
import { eventually, type Mounted, type Outcome } from './mounted.ts';
import { lives, pinned, pinnedIn, signal } from './pinned.ts';

/** What the clients of `clients.py` saw. */
export interface Seen {
  /** Rounds by client. */
  readonly done: Readonly<Record<string, number>>;
  /** Every path that was made with mkdir, each once. */
  readonly made: readonly string[];
  /** Client, what it did, errno, message: of everything that was not as if no daemon had died. */
  readonly errors: readonly (readonly [string, string, string, string])[];
}

const CLIENTS = fileURLToPath(new URL('clients.py', import.meta.url));

/** After the last round a client may still wait for the next daemon. */
const CLIENTS_GRACE_S = 30;

/** Runs clients for `seconds`, in processes of their own. */
export async function clients(tree: Mounted, seconds: number, ...names: string[]): Promise<Seen> {
  const { stdout } = await execa('python3', [CLIENTS, String(seconds), ...names], {
    cwd: tree.dir,
    timeout: (seconds + CLIENTS_GRACE_S) * 1000,
    killSignal: 'SIGKILL',
  });
  return JSON.parse(stdout) as Seen;
}

/** The daemon that runs now, serving or still starting; `undefined` between two. */
export function runningDaemon({ instance }: Mounted): PinnedProcess | undefined {
  const { pid: supervisor } = supervisorOf(instance);
  const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').trim().split(' ');
  for (const child of children.filter((pid) => pid !== '').map(Number)) {
    if (!commandOf(child).includes('\0daemon\0')) continue;
    const daemon = pinned(child);
    // Still the one that was looked at: no other process of that pid has such a command.
    if (commandOf(child).includes('\0daemon\0')) return daemon;
  }
  return undefined;
}

/** The shell that holds the device. */
export function supervisorOf(instance: Instance): PinnedProcess {
  return pinnedIn(runFiles(instance).supervisePid);
}

/**
 * SIGKILL to daemons, `count` times, at a random moment within `withinMs` after another one was started. One in
 * `SERVES_EVERY` is left alone until it serves: on a busy machine none might in that time, and then the supervisor gives up.
 */
export async function killDaemons(tree: Mounted, count: number, withinMs: number): Promise<void> {
  let last: PinnedProcess | undefined;
  for (let kills = 0; kills < count; kills += 1) {
    const daemon = await anotherDaemon(tree, last);
    if (kills % SERVES_EVERY === SERVES_EVERY - 1) await serving(tree);
    await sleep(Math.random() * withinMs);
    signal(daemon, 'SIGKILL');
    last = daemon;
  }
  // Not the one that is about to die.
  await anotherDaemon(tree, last);
  await serving(tree);
}

const SERVES_EVERY = 4;

async function anotherDaemon(tree: Mounted, last: PinnedProcess | undefined): Promise<PinnedProcess> {
  let daemon: PinnedProcess | undefined;
  await eventually(
    () => {
      daemon = runningDaemon(tree);
      return daemon !== undefined && !(last !== undefined && isSame(daemon, last));
    },
    'another daemon is started',
    SERVES_LIMIT_MS,
  );
  return daemon!;
}

function isSame(one: PinnedProcess, other: PinnedProcess): boolean {
  return one.pid === other.pid && one.startTime === other.startTime;
}

/** A busy machine takes its time to start a daemon, and the supervisor waits before it does after many deaths. */
const SERVES_LIMIT_MS = 30_000;

/** Waits until a daemon serves. */
export async function serving(tree: Mounted): Promise<void> {
  await eventually(
    () => lives(tree.daemon()) && tree.daemonPid() === runningDaemon(tree)?.pid,
    'a daemon serves',
    SERVES_LIMIT_MS,
  );
  await tree.ok('stat -f .');
}

/** Kills the daemon, does `meanwhile`, and lets the next one start. */
export async function withoutDaemon(tree: Mounted, meanwhile: () => void | Promise<void>): Promise<void> {
  const supervisor = supervisorOf(tree.instance);
  signal(supervisor, 'SIGSTOP');
  try {
    const daemon = tree.daemon();
    signal(daemon, 'SIGKILL');
    await eventually(() => !lives(daemon), 'the daemon is dead');
    await meanwhile();
  } finally {
    signal(supervisor, 'SIGCONT');
  }
  await serving(tree);
}

/** Runs `script`, and kills the daemon `afterMs` after it began; how it ended when the next daemon had served it. */
export async function struck(tree: Mounted, script: string, afterMs: number): Promise<Outcome> {
  const daemon = tree.daemon();
  const child = execa('sh', ['-c', `echo begins; ${script}`], { cwd: tree.dir, reject: false, timeout: 30_000 });
  child.stdout.once('data', () => {
    setTimeout(() => {
      signal(daemon, 'SIGKILL');
    }, afterMs);
  });
  const { exitCode, stdout, stderr } = await child;
  await serving(tree);
  return { status: exitCode ?? 255, stdout: stdout.replace('begins', ''), stderr };
}

/** What a script ends with that says nothing and succeeds. */
export const OK: Outcome = { status: 0, stdout: '', stderr: '' };

/** Starts a container with so many processes that what is done with all of them takes a while. */
export async function runMany(tree: Mounted, name: string): Promise<void> {
  const script = `i=0; while [ $i -lt ${MANY} ]; do sleep 1000 & i=$((i+1)); done; wait`;
  await detached(tree, name, ['sh', '-c', script]);
  await eventually(() => processesOf(tree).length > MANY, 'all are running');
}

const MANY = 150;

/** SIGKILL to the process that is the parent of all inits. */
export function killLauncher({ instance }: Mounted): void {
  signal(pinnedIn(runFiles(instance).launcherPid), 'SIGKILL');
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
