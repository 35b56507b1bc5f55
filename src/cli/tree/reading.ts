import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { systemErrno } from '../../errno.ts';
import { Slots } from './slots.ts';

/** What a container's directory says. */
export interface Reading {
  readonly name: string;
  /** First word of `.state`; absent before the first start. */
  readonly state?: string;
  /** Pid of its init in our pid namespace. */
  readonly init?: number;
  /** Processes of its own, without those of containers in it. */
  readonly processes?: number;
  /** Of the whole subtree, since it started. */
  readonly cpuUsec?: number;
  readonly memoryBytes?: number;
  /** `discovered` or `adopted` for one that was not made here. */
  readonly origin?: string;
  /** Errno name, if it could not be read. */
  readonly error?: string;
  readonly children: readonly Reading[];
}

/** Containers that are read; more are counted only as missing, see {@link Reader.truncated}. */
export const MAX_CONTAINERS = 100_000;

/** Either is listed of a container that started, though somebody may have hidden the other. */
const STARTED = ['.state', '.init'] as const;

/** Reads under way at once: enough to keep Node's threads busy. */
const MAX_CONCURRENT = 16;

/** Reads a tree by plain file operations, as any client can. What vanishes meanwhile is left out. */
export class Reader {
  readonly #slots = new Slots(MAX_CONCURRENT);
  #containers = 0;

  /** Whether there were more than {@link MAX_CONTAINERS}. */
  get truncated(): boolean {
    return this.#containers > MAX_CONTAINERS;
  }

  async read(directory: string, name = directory): Promise<Reading | undefined> {
    this.#containers += 1;
    if (this.truncated) return undefined;
    try {
      const entries = await this.#slots.use(() => readdir(directory, { withFileTypes: true }));
      const names = entries.map((entry) => entry.name);
      const own = STARTED.some((entry) => names.includes(entry)) ? await this.#slots.use(() => figures(directory)) : {};
      const origin = names.includes('.origin') ? await readFile(path.join(directory, '.origin'), 'utf8') : undefined;
      const inner = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
      const children = await Promise.all(inner.map((entry) => this.read(path.join(directory, entry.name), entry.name)));
      return {
        name,
        ...own,
        ...(origin && { origin: origin.trim() }),
        children: children.filter((child) => child !== undefined),
      };
    } catch (error) {
      const errno = systemErrno(error) ?? String(error);
      // What a name in the kernel's cache leads to may fail otherwise than the name once its container is gone.
      return errno === 'ENOENT' || !existsSync(directory) ? undefined : { name, error: errno, children: [] };
    }
  }
}

/** Without what was only discovered, unless something is in it that was made here or adopted. */
export function withoutDiscovered(reading: Reading): Reading {
  const children = reading.children.map(withoutDiscovered);
  return {
    ...reading,
    children: children.filter(({ origin, children: inner }) => origin !== 'discovered' || inner.length > 0),
  };
}

type Figures = Omit<Reading, 'name' | 'children' | 'error' | 'origin'>;

async function figures(directory: string): Promise<Figures> {
  const [state, init, procs, stat] = await Promise.all([
    ifThere(readFile(path.join(directory, '.state'), 'utf8')),
    ifThere(readlink(path.join(directory, '.init'))),
    ifThere(readFile(path.join(directory, '.procs'), 'utf8')),
    ifThere(readFile(path.join(directory, '.stat'), 'utf8')),
  ]);
  const keys = flatKeys(stat ?? '');
  return defined({
    state: state?.trim() ?? (init === undefined ? undefined : 'running'),
    init: init === undefined ? undefined : Number.parseInt(path.basename(init), 10),
    processes: procs?.split('\n').filter((line) => line !== '').length,
    cpuUsec: keys.get('cpu.usage_usec'),
    memoryBytes: keys.get('memory.current'),
  });
}

/** Lines `key value` as in cgroup v2's flat keyed files; values that are no numbers are left out. */
export function flatKeys(text: string): Map<string, number> {
  const pairs = text.split('\n').map((line) => line.split(' ') as [string, string?]);
  return new Map(
    pairs.flatMap(([key, value]) =>
      value !== undefined && /^[0-9]+$/.test(value) ? ([[key, Number(value)]] as const) : [],
    ),
  );
}

async function ifThere(reading: Promise<string>): Promise<string | undefined> {
  try {
    return await reading;
  } catch {
    return undefined;
  }
}

/** The same without the members that are undefined. */
function defined(given: { readonly [Key in keyof Figures]: Figures[Key] | undefined }): Figures {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
