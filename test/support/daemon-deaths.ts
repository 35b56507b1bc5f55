import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runFiles } from '../../src/instance.ts';
import { eventually, isAlive, type Mounted } from './mounted.ts';

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

/** SIGKILL to daemon and launcher, or to one process of another kind, by its pid file. */
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
