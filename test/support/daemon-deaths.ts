import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runFiles } from '../../src/instance.ts';
import { detached, processesOf } from './containers.ts';
import { eventually, isAlive, type Mounted, type Outcome } from './mounted.ts';

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
export function runningDaemon({ instance }: Mounted): number | undefined {
  const supervisor = readFileSync(runFiles(instance).supervisePid, 'utf8').trim();
  const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').trim().split(' ');
  return children
    .filter((pid) => pid !== '')
    .map(Number)
    .find((pid) => commandOf(pid).includes('\0daemon\0'));
}

/** SIGKILL to daemons, at a random moment within `withinMs` after another one was started, `count` times. */
export async function killDaemons(tree: Mounted, count: number, withinMs: number): Promise<void> {
  let last = 0;
  for (let kills = 0; kills < count; kills += 1) {
    let daemon = 0;
    await eventually(() => {
      daemon = runningDaemon(tree) ?? 0;
      return daemon !== 0 && daemon !== last;
    }, 'another daemon is started');
    await sleep(Math.random() * withinMs);
    process.kill(daemon, 'SIGKILL');
    last = daemon;
  }
  await serving(tree);
}

/** Waits until a daemon serves. */
export async function serving(tree: Mounted): Promise<void> {
  await eventually(
    () => isAlive(tree.daemonPid()) && tree.daemonPid() === runningDaemon(tree),
    'a daemon serves',
    30_000,
  );
  await tree.ok('stat -f .');
}

/** Kills the daemon, does `meanwhile`, and lets the next one start. */
export async function withoutDaemon(tree: Mounted, meanwhile: () => void | Promise<void>): Promise<void> {
  const supervisor = Number(readFileSync(runFiles(tree.instance).supervisePid, 'utf8'));
  process.kill(supervisor, 'SIGSTOP');
  try {
    const daemon = tree.daemonPid();
    process.kill(daemon, 'SIGKILL');
    await eventually(() => !isAlive(daemon), 'the daemon is dead');
    await meanwhile();
  } finally {
    process.kill(supervisor, 'SIGCONT');
  }
  await serving(tree);
}

/** Runs `script`, and kills the daemon `afterMs` after it began; how it ended when the next daemon had served it. */
export async function struck(tree: Mounted, script: string, afterMs: number): Promise<Outcome> {
  const daemon = tree.daemonPid();
  const child = execa('sh', ['-c', `echo begins; ${script}`], { cwd: tree.dir, reject: false, timeout: 30_000 });
  child.stdout.once('data', () => setTimeout(() => process.kill(daemon, 'SIGKILL'), afterMs));
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
  process.kill(Number(readFileSync(runFiles(instance).launcherPid, 'utf8')), 'SIGKILL');
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
