import { mkdtempSync, rmSync } from 'node:fs';
import { execa } from 'execa';
import { NSDIR, type Outcome } from './mounted.ts';

/** Every command ends within this, or is a failure: a mount that fails on a busy machine takes the longest. */
const LIMIT_MS = 50_000;

/**
 * Runs `nsdir ARGS…`, below the command `around` if there is one: `setpriv …`, `unshare …`. For another user than root
 * `program` is that of a `publicCopy`.
 */
export async function nsdir(
  args: readonly string[],
  around: readonly string[] = [],
  program: string = NSDIR,
): Promise<Outcome> {
  const [command = '', ...rest] = [...around, process.execPath, program, ...args];
  const result = await execa(command, rest, {
    reject: false,
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    stdin: 'ignore',
  });
  if (result.timedOut) throw new Error(`nsdir ${args.join(' ')} hung: ${result.stderr}`);
  return { status: result.exitCode ?? 255, stdout: result.stdout, stderr: result.stderr };
}

/** An ordinary user. */
export const AS_USER = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'] as const;

/** `nsdir ARGS…` in a mount namespace of its own, after `script` was run there by sh. */
export function nsdirAfter(script: string, ...args: string[]): Promise<Outcome> {
  return nsdir(args, ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', `${script}\nexec "$@"`, 'sh']);
}

/** An empty directory, gone at the end of the block. */
export function emptyDirectory(): Disposable & { readonly dir: string } {
  const dir = mkdtempSync('/var/tmp/nsdir-empty-');
  return {
    dir,
    [Symbol.dispose]() {
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
