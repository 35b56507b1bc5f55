import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { NSDIR } from './mounted.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What of the package is run, besides the packages it depends on. */
const PARTS = ['package.json', 'dist', 'scripts'];

/**
 * The built program where every user can read it, as an installed one is: this checkout may be in a directory of root's
 * own. `nsdir` is the path of its command line.
 */
export async function publicCopy(): Promise<AsyncDisposable & { readonly nsdir: string }> {
  const dir = mkdtempSync('/tmp/nsdir-public-');
  const { stdout } = await execa('npm', ['ls', '--all', '--omit=dev', '--parseable'], { cwd: ROOT, reject: false });
  const packages = stdout
    .split('\n')
    .map((line) => path.relative(ROOT, line))
    .filter((line) => line.startsWith('node_modules/'));
  await execa('cp', ['-a', '--parents', '--', ...PARTS, ...packages, dir], { cwd: ROOT });
  await execa('chmod', ['-R', 'a+rX', dir]);
  chmodSync(dir, 0o755);
  return {
    nsdir: path.join(dir, path.relative(ROOT, NSDIR)),
    [Symbol.asyncDispose]() {
      rmSync(dir, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}
