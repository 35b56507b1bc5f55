import { readdirSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import { mounted } from '../support/mounted.ts';

/**
 * `npm run soak:native [OPERATIONS [CLIENTS]]`: looks through fuse-native, of many clients at once, in two halves; says what
 * the daemon has of memory and threads. Ends with 1 if it grows in the second half as if it forgot what it keeps of threads.
 */
const OPERATIONS = 100_000;
const CLIENTS = 64;

/** What V8's own heap may come and go by. */
const GROWTH_LIMIT_KB = 6_000;

const HAMMER = new URL('../support/hammer.py', import.meta.url).pathname;

const [operations = OPERATIONS, clients = CLIENTS] = process.argv.slice(2).map(Number);

await using tree = await mounted('--adapter', 'fuse-native');
const daemon = tree.daemonPid();
const resident = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon}/status`, 'utf8'))?.[1]);
const seen = new Set<string>();
const noteThreads = () => {
  for (const id of readdirSync(`/proc/${daemon}/task`)) seen.add(id);
};
const watching = setInterval(noteThreads, 20);
const sizes: number[] = [];
const tell = (when: string) => {
  noteThreads();
  sizes.push(resident());
  const now = readdirSync(`/proc/${daemon}/task`).length;
  console.log(`${when}: ${(sizes.at(-1) ?? 0) / 1000} MB, ${now} threads, of ${seen.size} that were seen`);
};
const hammer = async (count: number) => {
  const { stdout } = await execa('python3', [HAMMER, String(clients), String(count)], { cwd: tree.dir });
  if (!stdout.startsWith('0 failed')) throw new Error(stdout);
};
tell('at first');
// As many threads as there are clients, and a heap that is as large as it gets.
await hammer(operations / 5);
tell(`after ${operations / 5} operations of ${clients} clients`);
await hammer(operations);
tell(`after ${operations} more`);
clearInterval(watching);
const [, before = 0, after = 0] = sizes;
process.exitCode = after - before > GROWTH_LIMIT_KB ? 1 : 0;
