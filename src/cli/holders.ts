import { readdir, readlink } from 'node:fs/promises';
import { readIfThere } from './processes.ts';

/** A process that keeps a file system busy. */
export interface Holder {
  readonly pid: number;
  /** Its short name (proc(5), `comm`). */
  readonly command: string;
  /** What of it is there: `cwd`, `root`, `fd/3`. */
  readonly how: string;
  readonly path: string;
}

const SCAN_TIMEOUT_MS = 3_000;
const MAX_HOLDERS = 20;

/**
 * Processes but `own` whose working directory, root or open files are at or below `directory`. Reads links of /proc only, which
 * the kernel answers without asking the file system they point to. Stops after 20 found or 3 s.
 */
export async function findHolders(directory: string, own: readonly number[]): Promise<Holder[]> {
  const deadline = performance.now() + SCAN_TIMEOUT_MS;
  const found: Holder[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(name) || own.includes(Number(name))) continue;
    if (found.length >= MAX_HOLDERS || performance.now() > deadline) break;
    const held = await heldBy(`/proc/${name}`, directory);
    if (held === undefined) continue;
    const command = (await readIfThere(`/proc/${name}/comm`)) ?? '';
    found.push({ pid: Number(name), command: command.trim(), ...held });
  }
  return found;
}

async function heldBy(process: string, directory: string): Promise<Pick<Holder, 'how' | 'path'> | undefined> {
  for (const how of ['cwd', 'root', ...(await descriptors(process))]) {
    const path = await target(`${process}/${how}`);
    if (path === directory || path?.startsWith(`${directory}/`) === true) return { how, path };
  }
  return undefined;
}

async function descriptors(process: string): Promise<string[]> {
  try {
    return (await readdir(`${process}/fd`)).map((fd) => `fd/${fd}`);
  } catch {
    return [];
  }
}

async function target(link: string): Promise<string | undefined> {
  try {
    return await readlink(link);
  } catch {
    return undefined;
  }
}
