import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './command.ts';
import type { Helpers } from './helpers.ts';
import type { Requests } from './tree.ts';

const MOUNT_LIMIT_MS = 10_000;

/** The C peer (c/peer.c), mounted. */
export interface LibfusePeer extends AsyncDisposable {
  readonly dir: string;
  readonly pid: number;
  /** Unmounts, and tells how many requests of each kind came. */
  end(): Promise<Requests>;
}

export async function mountLibfusePeer({ peer }: Helpers): Promise<LibfusePeer> {
  const dir = mkdtempSync('/tmp/nsdir-bench-libfuse-');
  const child = spawn(peer, [dir], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  await mountedAt(
    dir,
    () => child.exitCode !== null,
    () => output,
  );
  let ended: Promise<Requests> | undefined;
  const end = async (): Promise<Requests> => {
    await run('umount', [dir], MOUNT_LIMIT_MS);
    await exited;
    rmSync(dir, { recursive: true });
    return new Map([...output.matchAll(/(\w+)=(\d+)/g)].map(([, name = '', count]) => [name, Number(count)]));
  };
  return {
    dir,
    pid: child.pid ?? 0,
    end: () => (ended ??= end()),
    async [Symbol.asyncDispose]() {
      await (ended ??= end());
    },
  };
}

async function mountedAt(dir: string, gone: () => boolean, output: () => string): Promise<void> {
  const end = performance.now() + MOUNT_LIMIT_MS;
  while (performance.now() < end && !gone()) {
    if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${dir} `)) return;
    await sleep(10);
  }
  throw new Error(`the libfuse peer did not mount: ${output().trim()}`);
}
