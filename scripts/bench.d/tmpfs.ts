import { mkdtempSync, rmdirSync } from 'node:fs';
import { run } from './command.ts';

const MOUNT_LIMIT_MS = 10_000;

export interface Tmpfs extends AsyncDisposable {
  readonly dir: string;
}

export async function mountTmpfs(): Promise<Tmpfs> {
  const dir = mkdtempSync('/tmp/nsdir-bench-tmpfs-');
  await run('mount', ['-t', 'tmpfs', '-o', 'nosuid,nodev', 'nsdir-bench', dir], MOUNT_LIMIT_MS);
  return {
    dir,
    async [Symbol.asyncDispose]() {
      await run('umount', [dir], MOUNT_LIMIT_MS);
      rmdirSync(dir);
    },
  };
}
