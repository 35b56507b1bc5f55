import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Enough for `dist/src/cli`. */
const MAX_LEVELS_UP = 5;

/** The directory with our package.json: where `scripts/` and `dist/` are, in a checkout and in an installed package. */
async function packageRoot(): Promise<string> {
  let directory = path.dirname(fileURLToPath(import.meta.url));
  for (let level = 0; level < MAX_LEVELS_UP; level += 1) {
    if (await exists(path.join(directory, 'package.json'))) return directory;
    directory = path.dirname(directory);
  }
  throw new Error(`no package.json above ${fileURLToPath(import.meta.url)}: nsdir is not installed whole`);
}

export async function packageVersion(root?: string): Promise<string> {
  const text = await readFile(path.join(root ?? (await packageRoot()), 'package.json'), 'utf8');
  const { version } = JSON.parse(text) as { readonly version?: unknown };
  return typeof version === 'string' ? version : 'unknown';
}

/** The static helper that is a container's launcher and init. */
export async function initBinary(): Promise<string> {
  return path.join(await packageRoot(), 'dist', 'nsdir-init');
}

export async function superviseScript(): Promise<string> {
  return path.join(await packageRoot(), 'scripts', 'supervise');
}

/** What a private machine is made by, from within. */
export async function privateMachineScript(): Promise<string> {
  return path.join(await packageRoot(), 'scripts', 'private-machine');
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
