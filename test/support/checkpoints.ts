import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeEach } from 'vitest';
import { checkCriu, findCriu } from '../../src/checkpoint/criu.ts';
import { cgroupsOf, detached, scratch } from './containers.ts';
import { eventually, mounted, type Mounted } from './mounted.ts';
import { workload } from './workload.ts';

/** Why no test of checkpoints can run here, in CRIU's own words; `undefined` if all is well. */
export async function criuIsMissing(): Promise<string | undefined> {
  try {
    return await checkCriu(await findCriu());
  } catch (error) {
    return (error as Error).message;
  }
}

/** A directory on the disk. */
export type Scratch = ReturnType<typeof scratch>;

/** To be called at the begin of a file: each test is skipped where no CRIU runs, and `given` gets a directory of its own before. */
export function eachWithDisk(given: (disk: Scratch) => unknown): void {
  beforeEach(async ({ skip }) => {
    const missing = await criuIsMissing();
    skip(missing !== undefined, missing);
    const disk = scratch();
    await given(disk);
    return () => {
      disk[Symbol.dispose]();
    };
  });
}

/** As `eachWithDisk`, with a mount besides; `given` may do what comes before each test. */
export function eachWithTree(given: (tree: Mounted, disk: Scratch) => unknown): void {
  let disk: Scratch;
  eachWithDisk((made) => (disk = made));
  beforeEach(async () => {
    const tree = await mounted();
    await given(tree, disk);
    return () => tree[Symbol.asyncDispose]();
  });
}

/**
 * A mount whose daemon has a program of ours for CRIU: `script`, for sh, is run with CRIU's arguments, and finds CRIU's path
 * in `$CRIU`. `file` is where it is kept; `limitMs` is how long a dump or a restore may take.
 */
export async function mountedWithCriu(file: string, script: string, limitMs?: number): Promise<Mounted> {
  const { program } = await findCriu();
  writeFileSync(file, `#!/bin/sh\nCRIU=${program}\n${script}\n`, { mode: 0o755 });
  const limits =
    limitMs === undefined ? {} : { NSDIR_DUMP_LIMIT_MS: `${limitMs}`, NSDIR_RESTORE_LIMIT_MS: `${limitMs}` };
  const set = { NSDIR_CRIU: file, ...limits };
  Object.assign(process.env, set);
  try {
    return await mounted();
  } finally {
    for (const name of Object.keys(set)) Reflect.deleteProperty(process.env, name);
  }
}

/**
 * A script for `mountedWithCriu`: criu waits for ever when it is to open this image of its directory, because that is a fifo,
 * at whose other end there is nobody.
 */
export function hangingOn(image: string): string {
  const made = `rm -f $word/${image}; mkfifo $word/${image}`;
  return `for word; do [ "$before" != -D ] || { ${made}; }; before=$word; done; exec $CRIU "$@"`;
}

/** Another one: a script of ours is asked at this moment (criu(8)), and runs `command`. */
export function scriptAt(action: string, command: string): string {
  return `printf '#!/bin/sh\\n[ "$CRTOOLS_SCRIPT_ACTION" != ${action} ] || { ${command}; }\\n' > $0.script
    chmod +x $0.script; exec $CRIU "$@" --action-script $0.script`;
}

/** Rules by which criu keeps packets from the network of this process. */
export async function locksIn(tree: Mounted, pid: number): Promise<string[]> {
  const listed = await tree.ok(`nsenter --target ${pid} --net sh -c 'iptables-save; ip6tables-save'`);
  return listed.split('\n').filter((line) => line.includes('CRIU'));
}

/** A process that adds the next number to a file, for ever. */
export interface Counting {
  readonly file: string;
  /** The number written last, 0 if none. */
  last(): number;
  numbers(): number[];
  /** Waits until it has come further than `number`. */
  beyond(number: number): Promise<void>;
}

/** Starts one in the container, which is made if need be, and waits for its first numbers. */
export async function counting(tree: Mounted, name: string, file: string): Promise<Counting> {
  await detached(tree, name, workload('count-on', file));
  const counter = countingIn(file);
  await counter.beyond(3);
  return counter;
}

export function countingIn(file: string): Counting {
  const numbers = () => readOrNothing(file).split('\n').filter(Boolean).map(Number);
  const last = () => numbers().at(-1) ?? 0;
  return {
    file,
    numbers,
    last,
    beyond: (number) => eventually(() => last() > number, `${file} goes beyond ${number}`),
  };
}

/**
 * Where a counter that went on `times` times from a former moment did: every number is the one before and one, but there.
 * Throws if it began anew, left one out, or went back otherwise.
 */
export function wentOn(numbers: readonly number[], times: number): void {
  const breaks = numbers.flatMap((number, index) => {
    const before = numbers[index - 1] ?? number - 1;
    return number === before + 1 ? [] : [`${before} then ${number}`];
  });
  const wrong = breaks.filter((text) => {
    const [before = 0, after = 0] = text.split(' then ').map(Number);
    return after > before || after <= 1;
  });
  if (wrong.length > 0 || breaks.length > times) throw new Error(`it did not go on: ${breaks.join(', ')}`);
}

/** Nothing of a checkpoint is left: no frozen cgroup, no images, no mount in the daemon's directories. */
export async function nothingHeld(tree: Mounted): Promise<void> {
  await eventually(() => {
    const images = readdirSync(tree.instance.stateDir).filter((name) => name.endsWith('.checkpoints'));
    if (images.length > 0) throw new Error(images.join());
    return cgroupsOf(tree).every((cgroup) => {
      const directory = `${tree.cgroup()}/${cgroup}`;
      return [directory, `${directory}/own`].every((one) => readOrNothing(`${one}/cgroup.freeze`).trim() !== '1');
    });
  }, 'nothing of the checkpoint is left');
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  if (mounts.includes(`${tree.instance.stateDir}/`)) throw new Error(`a mount is left: ${mounts}`);
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
