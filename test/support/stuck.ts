import { setTimeout as sleep } from 'node:timers/promises';
import { detached, processesOf } from './containers.ts';
import { eventually, mounted, type Mounted } from './mounted.ts';
import { signal } from './pinned.ts';

/** Longer than processors are kept awake for what is done (src/kernel/cpu-latency.ts). */
const REST_MS = 100;

/** A process that cannot be frozen until it is let go: it waits for an answer of a daemon that stands still. */
export interface Stuck extends AsyncDisposable {
  letGo(): void;
}

/** Starts the container `name`, with the machine's own mount tree, and such a process in it. */
export async function stuckIn(tree: Mounted, name: string): Promise<Stuck> {
  const other = await mounted();
  await other.ok('mkdir it; echo running > it/.state');
  const daemon = other.daemon();
  // At rest: what it asks of the kernel while it works, it would ask for until it goes on.
  await sleep(REST_MS);
  signal(daemon, 'SIGSTOP');
  let stands = true;
  const letGo = () => {
    if (stands) signal(daemon, 'SIGCONT');
    stands = false;
  };
  const stuck: Stuck = {
    letGo,
    async [Symbol.asyncDispose]() {
      letGo();
      await other[Symbol.asyncDispose]();
    },
  };
  try {
    await tree.ok(`mkdir -p ${name}; echo running pid,uts > ${name}/.state`);
    const before = processesOf(tree).length;
    // Outlives its answer.
    await detached(tree, name, ['sh', '-c', `cat ${other.dir}/it/.stat; sleep 1000`]);
    await eventually(() => processesOf(tree).length >= before + 2, 'it waits');
    return stuck;
  } catch (error) {
    await stuck[Symbol.asyncDispose]();
    throw error;
  }
}
