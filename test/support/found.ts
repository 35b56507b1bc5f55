import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { runFiles } from '../../src/instance.ts';
import { eventually, mounted, type Mounted } from './mounted.ts';

/** A tree that shows what others made, too: all that is on the machine. `options` are further ones of `nsdir mount`. */
export function discovering(how: 'on' | 'exact' = 'on', ...options: string[]): Promise<Mounted> {
  return mounted('--discovery', how, ...options);
}

/** What the daemon's log says of events that were lost: then it cannot be known who made what. */
export function lostEvents({ instance }: Mounted): string[] {
  const log = readFileSync(runFiles(instance).daemonLog, 'utf8');
  return log.split('\n').filter((line) => line.includes('events of the kernel were lost'));
}

/** A command outside of every container of ours, that made namespaces; killed at the end of the test. */
export interface Maker extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Pid that the command printed as its first line. */
  readonly pid: number;
}

/** Runs a command that prints the pid it is to be known by, as the test's own pid namespace has it. */
export async function making(command: string, ...args: string[]): Promise<Maker> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let complaint = '';
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => [`failed: ${complaint}`])]);
  const pid = Number(first[0]);
  if (!Number.isInteger(pid)) throw new Error(`${command} ${args.join(' ')}: ${String(first[0])}`);
  return {
    child,
    pid,
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode !== null || child.signalCode !== null || once(child, 'exit');
      killGroup(child.pid);
      await ended;
    },
  };
}

/** The session that `making` began, and what is left of it: unshare(1) dies, its child may not. */
function killGroup(leader: number | undefined): void {
  try {
    // eslint-disable-next-line no-restricted-properties -- the number of a group is not given again while anybody is in it
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** Prints the pid of the shell that runs it, as the /proc it sees numbers processes. */
export const OWN_PID = "awk '/^PPid:/ { print $2 }' /proc/self/status";

/** `unshare FLAGS… sh -c SCRIPT sh ARGS…`; its pid is that of the shell, or of the program the script becomes. */
export function unshared(flags: readonly string[], script = 'exec sleep 1000', ...args: string[]): Promise<Maker> {
  return making('unshare', ...flags, 'sh', '-c', `${OWN_PID}; ${script}`, 'sh', ...args);
}

/** The directory, below the mount point, of the container a process is in itself; '' for the root. */
export async function whereIs(tree: Mounted, pid: number): Promise<string> {
  const found = await tree.ok(
    `find . -mindepth 2 -name .procs ! -path '*/.ns/*' -exec grep -lx ${pid} {} + 2>/dev/null | head -n 1 || :`,
  );
  return found.replace(/^\.\//, '').replace(/\/?\.procs$/, '');
}

/** Waits until the process is in a container that is not the root and not in `not`. */
export async function shown(tree: Mounted, pid: number, not: readonly string[] = []): Promise<string> {
  let at = '';
  await eventually(async () => {
    at = await whereIs(tree, pid);
    return at !== '' && !not.includes(at);
  }, `process ${pid} is in a container of its own`);
  return at;
}

/** The number of the container in this directory: a name is free for others once its container is gone, a number is not. */
export function numberOf(tree: Mounted, at: string): Promise<string> {
  return tree.ok(`stat -c %i '${at}'`);
}

/** Waits until the container with this number is nowhere. */
export async function vanished(tree: Mounted, number: string): Promise<void> {
  const find = `find . -name '.?*' -prune -o -type d -inum ${number} -print 2>/dev/null`;
  await eventually(
    async () => (await tree.ok(`stat . > /dev/null && { ${find} || :; }`)) === '',
    `container ${number} is gone`,
  );
}
