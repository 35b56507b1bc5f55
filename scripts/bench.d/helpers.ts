import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { run } from './command.ts';

const SOURCES = fileURLToPath(new URL('c', import.meta.url));
const COMPILE_LIMIT_MS = 60_000;
const HELPER_LIMIT_MS = 180_000;

/** The bench's C programs, built: where noise would come from, nothing is interpreted. */
export interface Helpers {
  readonly peer: string;
  readonly payload: string;
  readonly quick: string;
  /** One kind of file operation, `count` times in `dir`; optionally on one core. */
  client(operation: string, dir: string, count: number, options?: ClientOptions): Promise<Timings>;
  readonly makerProgram: string;
  /** Sets of namespaces: c/maker.c tells the words. */
  maker(...words: string[]): Promise<Timings>;
  /** `count` processes enter, one after the other: c/enter.c. */
  enter(tree: string, container: string, count: number): Promise<Timings>;
  /** `count` rounds of start and stop of command lines: c/cycle.c tells the steps. */
  cycle(count: number, signal: number, steps: readonly string[]): Promise<Timings>;
}

export interface ClientOptions {
  /** Name, or prefix of names, operated on. */
  readonly name?: string;
  readonly core?: number;
}

/** By the label the program printed. */
export type Timings = ReadonlyMap<string, Timing>;

export interface Timing {
  readonly count: number;
  readonly totalNs: number;
  readonly medianNs: number;
  readonly slowestNs: number;
  readonly p99Ns: number;
}

export async function buildHelpers(into: string): Promise<Helpers> {
  const program = (name: string) => path.join(into, name);
  const compile = (name: string, ...flags: string[]) =>
    run('cc', ['-O2', '-o', program(name), path.join(SOURCES, `${name}.c`), ...flags], COMPILE_LIMIT_MS);
  const fuse = (await run('pkg-config', ['--cflags', '--libs', 'fuse3'], COMPILE_LIMIT_MS)).trim().split(/\s+/);
  await compile('client');
  await compile('cycle');
  await compile('maker');
  await compile('enter');
  await compile('payload', '-static');
  await compile('quick', '-static');
  await compile('peer', ...fuse);
  return {
    peer: program('peer'),
    payload: program('payload'),
    quick: program('quick'),
    async client(operation, dir, count, { name = 'n', core } = {}) {
      const words = [program('client'), operation, dir, String(count), name];
      const [command = '', ...args] = core === undefined ? words : ['taskset', '-c', String(core), ...words];
      return parseTimings(await run(command, args, HELPER_LIMIT_MS));
    },
    makerProgram: program('maker'),
    async maker(...words) {
      return parseTimings(await run(program('maker'), words, HELPER_LIMIT_MS));
    },
    async enter(tree, container, count) {
      return parseTimings(await run(program('enter'), [tree, container, String(count)], HELPER_LIMIT_MS));
    },
    async cycle(count, signal, steps) {
      return parseTimings(await run(program('cycle'), [String(count), String(signal), ...steps], HELPER_LIMIT_MS));
    },
  };
}

/** Lines of c/samples.h. */
function parseTimings(text: string): Timings {
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([label = '', count, totalNs, medianNs, slowestNs, p99Ns]) => [
        label,
        {
          count: Number(count),
          totalNs: Number(totalNs),
          medianNs: Number(medianNs),
          slowestNs: Number(slowestNs),
          p99Ns: Number(p99Ns),
        },
      ]),
  );
}

/** Throws if the program did not print it. */
export function timing(timings: Timings, label: string): Timing {
  const found = timings.get(label);
  if (!found) throw new Error(`no timing of ${label}`);
  return found;
}
