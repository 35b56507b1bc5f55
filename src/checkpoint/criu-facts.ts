import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { cpuArguments, CPU_LOG } from './arguments.ts';
import { CPU_LIMIT_MS, runCriu, type Criu } from './criu.ts';

/** The image in which criu says what the cpu can do. */
export const CPU_IMAGE = 'cpuinfo.img';

/** What criu found out about the kernel, as it keeps it in /run (its KERNDAT_CACHE_FILE). */
export const KNOWN = 'criu.kdat';

/** What criu finds out about the machine each time it runs, unless it is told: that takes it longer than the rest of its start. */
export interface CriuFacts {
  /** Path of what it knows of the kernel. */
  readonly known: string;
  /** What it says of the cpu. */
  readonly cpu: Buffer;
}

/** Runs its arguments, and keeps what criu has found out; its name is where. */
const KEEP = `"$@" && { cp /run/${KNOWN} "$0" || :; }`;

const found = new Map<string, Promise<CriuFacts>>();

/**
 * Asks criu once in the life of this process; `directory`, which is made, is for what it says, and `runner` as in `CriuRun`.
 * Neither kernel nor cpu change while the machine runs. Throws what `runCriu` does; then it is asked again.
 */
export async function criuFacts(criu: Criu, runner: string, directory: string): Promise<CriuFacts> {
  const asked = found.get(directory) ?? ask(criu, runner, directory);
  found.set(directory, asked);
  try {
    return await asked;
  } catch (error) {
    found.delete(directory);
    throw error;
  }
}

async function ask(criu: Criu, runner: string, directory: string): Promise<CriuFacts> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const known = path.join(directory, KNOWN);
  await runCriu({
    command: ['sh', '-c', KEEP, known, criu.program, ...cpuArguments('dump', directory, directory)],
    runner,
    known,
    workDir: directory,
    log: CPU_LOG,
    limitMs: CPU_LIMIT_MS,
  });
  return { known, cpu: await readFile(path.join(directory, CPU_IMAGE)) };
}
