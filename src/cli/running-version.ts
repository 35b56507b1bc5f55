import path from 'node:path';
import { packageVersion } from './package.ts';
import { readIfThere } from './processes.ts';

/** From `dist/src/cli/main.js` to the package. */
const UP_FROM_MAIN = '../../..';

/** Version of the package that daemon `pid` was started from, going by its command line. */
export async function versionOf(pid: number): Promise<string | undefined> {
  const words = ((await readIfThere(`/proc/${pid}/cmdline`)) ?? '').split('\0');
  const main = words[words.indexOf('daemon') - 1];
  if (main === undefined) return undefined;
  try {
    return await packageVersion(path.resolve(path.dirname(main), UP_FROM_MAIN));
  } catch {
    return undefined;
  }
}
