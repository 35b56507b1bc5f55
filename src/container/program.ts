import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';

/** Digits of the hash by which versions of the init's program are told apart. */
const HASH_DIGITS = 16;

/** The link that a starting init follows (src/init/program.c). */
const CURRENT = 'nsdir-init';

/** Where the init's program of this hash is kept: on disk, so that containers made from the directory see it. */
export function programFile(stateDir: string, hash: string): string {
  return path.join(stateDir, `${CURRENT}-${hash}`);
}

/** Hash of the program that inits started now run. */
export function currentProgram(stateDir: string): string {
  return readlinkSync(path.join(stateDir, CURRENT)).slice(CURRENT.length + 1);
}

/** The program by the link that inits follow, for what else it does. */
export function runnerProgram(stateDir: string): string {
  return path.join(stateDir, CURRENT);
}

/**
 * Keeps a copy of the init's program beside the inits' sockets, under its hash. A file that a container runs is never
 * written over: CRIU must find it again as it was.
 */
export function installProgram(stateDir: string, binary: string): void {
  const hash = createHash('sha256').update(readFileSync(binary)).digest('hex').slice(0, HASH_DIGITS);
  const file = programFile(stateDir, hash);
  if (!existsSync(file)) {
    copyFileSync(binary, `${file}.new`);
    renameSync(`${file}.new`, file);
  }
  const link = path.join(stateDir, CURRENT);
  rmSync(`${link}.new`, { force: true });
  symlinkSync(path.basename(file), `${link}.new`);
  renameSync(`${link}.new`, link);
}
