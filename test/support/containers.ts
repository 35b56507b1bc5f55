import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { eventually, NSDIR, type Mounted, type Outcome } from './mounted.ts';

/** `nsdir run NAME -- sh -c SCRIPT`: waits for its end. */
export function inside(tree: Mounted, name: string, script: string): Promise<Outcome> {
  return tree.nsdir('run', name, '--', 'sh', '-c', script);
}

/** As `inside`, and throws unless the status is 0; gives standard output without the last newline. */
export async function okInside(tree: Mounted, name: string, script: string): Promise<string> {
  const { status, stdout, stderr } = await inside(tree, name, script);
  if (status !== 0) throw new Error(`status ${status} in ${name} of: ${script}\n${stdout}\n${stderr}`);
  return stdout;
}

/** `nsdir run -d OPTION… NAME -- COMMAND…`; throws unless it runs. */
export async function detached(tree: Mounted, name: string, command: string[], ...options: string[]): Promise<void> {
  const { status, stderr } = await tree.nsdir('run', '-d', ...options, name, '--', ...command);
  if (status !== 0) throw new Error(`cannot run in ${name}: ${stderr}`);
}

/** `nsdir run OPTION… NAME -- COMMAND…` that goes on in the background, with pipes for stdio. */
export function attached(tree: Mounted, name: string, command: string[], ...options: string[]) {
  return execa(process.execPath, [NSDIR, 'run', ...options, name, '--', ...command], {
    cwd: tree.dir,
    env: { NSDIR_MOUNT: tree.dir },
    reject: false,
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
}

/** Pid of a container's init, as we see it. */
export async function initOf(tree: Mounted, name: string): Promise<number> {
  const link = await tree.ok(`readlink '${name}/.init'`);
  return Number(path.basename(link));
}

/** Pids of a container, without those of containers in it. */
export async function procsOf(tree: Mounted, name: string): Promise<number[]> {
  const text = await tree.ok(`cat '${name}/.procs'`);
  return text.split('\n').filter(Boolean).map(Number);
}

/** What `/proc/PID/ns/KIND` is, `uts:[4026531838]`. */
export function namespace(pid: number | 'self', kind: string): string {
  return readlinkSync(`/proc/${pid}/ns/${kind}`);
}

/** Processes in cgroups of this mount's containers, the dead that nobody has reaped included, whether the cgroup is still there or not. */
export function processesOf(tree: Mounted): number[] {
  const below = new RegExp(`^0::.*/${tree.instance.cgroupName}/\\d`, 'm');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => below.test(readOrNothing(`/proc/${name}/cgroup`)))
    .map(Number);
}

/** The containers' cgroups that are there, relative to the one that holds them. */
export function cgroupsOf(tree: Mounted): string[] {
  const walk = (directory: string): string[] =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^\d+$/.test(entry.name))
      .flatMap(({ name }) => [path.join(directory, name), ...walk(path.join(directory, name))]);
  return walk(tree.cgroup()).map((directory) => path.relative(tree.cgroup(), directory));
}

/** Waits until no process, no zombie and no cgroup of this mount's containers is left. */
export async function nothingLeft(tree: Mounted): Promise<void> {
  await eventually(() => processesOf(tree).length === 0, 'no process and no zombie is left', 5_000);
  await eventually(() => cgroupsOf(tree).length === 0, 'no cgroup is left', 5_000);
}

/** A directory on the disk that containers see too; its files are how a test talks with what runs inside. */
export function scratch(): Disposable & { readonly dir: string; at(name: string): string; read(name: string): string } {
  const dir = mkdtempSync('/var/tmp/nsdir-scratch-');
  return {
    dir,
    at: (name) => path.join(dir, name),
    read: (name) => readOrNothing(path.join(dir, name)),
    [Symbol.dispose]() {
      // What runs in a container may write there still.
      rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
