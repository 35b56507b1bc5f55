import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pidFrom, signalIfThere } from '../../src/cli/processes.ts';
import { instanceFor, runFiles } from '../../src/instance.ts';
import { run } from './command.ts';

/** The built command line, which is what users run. */
export const NSDIR = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const MOUNT_LIMIT_MS = 30_000;
const UMOUNT_LIMIT_MS = 120_000;
const RESTART_MS = 2_000;

/** The product, mounted in a place of its own. File operations there are for child processes with limits only. */
export interface Tree extends AsyncDisposable {
  readonly dir: string;
  readonly daemonPid: () => number;
  /** How many requests of each kind came so far; a tree mounted with `traced` only. */
  readonly requests: () => Requests;
}

/** Number of requests by the operation's name. */
export type Requests = ReadonlyMap<string, number>;

export async function mountTree({ traced = false, adapter = 'device' } = {}): Promise<Tree> {
  const base = mkdtempSync('/tmp/nsdir-bench-tree-');
  const dir = path.join(base, 'mnt');
  const trace = path.join(base, 'trace');
  const options = ['--adapter', adapter, ...(traced ? ['--trace', trace] : [])];
  await run(process.execPath, [NSDIR, 'mount', ...options, dir], MOUNT_LIMIT_MS);
  const { daemonPid } = runFiles(instanceFor(dir));
  return {
    dir,
    daemonPid: () => Number(readFileSync(daemonPid, 'utf8')),
    requests: () => countRequests(readFileSync(trace, 'utf8')),
    async [Symbol.asyncDispose]() {
      const unmount = () => run(process.execPath, [NSDIR, 'umount', '--kill', '--lazy', dir], UMOUNT_LIMIT_MS);
      try {
        await unmount();
      } catch {
        // A daemon that hangs is killed; the next one on its device answers.
        const daemon = await pidFrom(daemonPid, ['daemon', dir]);
        if (daemon !== undefined) signalIfThere(daemon, 'SIGKILL');
        await sleep(RESTART_MS);
        await unmount();
      }
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** Lines `rx N: OPERATION …` of a trace. */
function countRequests(trace: string): Requests {
  const counts = new Map<string, number>();
  for (const [, name = ''] of trace.matchAll(/^rx \d+: (\w+)/gm)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** What came between two readings. */
export function requestsSince(before: Requests, after: Requests): Requests {
  const grown = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return new Map(grown.filter(([, count]) => count > 0));
}

export function describeRequests(requests: Requests): string {
  return [...requests].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
}

export function totalOf(requests: Requests): number {
  return [...requests.values()].reduce((sum, count) => sum + count, 0);
}
