import { readdirSync, readFileSync } from 'node:fs';
import { checkCriu, findCriu } from '../../src/checkpoint/criu.ts';
import { cgroupsOf, detached } from './containers.ts';
import { eventually, type Mounted } from './mounted.ts';
import { workload } from './workload.ts';

/** Why no test of checkpoints can run here, in CRIU's own words; `undefined` if all is well. */
export async function criuIsMissing(): Promise<string | undefined> {
  try {
    return await checkCriu(await findCriu());
  } catch (error) {
    return (error as Error).message;
  }
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
