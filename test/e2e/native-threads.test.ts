import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

const HAMMER = new URL('../support/hammer.py', import.meta.url).pathname;

const CLIENTS = 20;
const OPERATIONS = 4_000;

it('keeps the threads of fuse-native that came with the load, since it would forget memory with each that goes', async () => {
  await using tree = await mounted('--adapter', 'fuse-native');
  const threads = () => readdirSync(`/proc/${tree.daemonPid()}/task`);
  const seen = new Set<string>();
  let isBusy = true;
  const hammered = tree.ok(`python3 ${HAMMER} ${CLIENTS} ${OPERATIONS}`).finally(() => {
    isBusy = false;
  });
  while (isBusy) {
    for (const id of threads()) seen.add(id);
    await sleep(5);
  }
  expect(await hammered).toContain('0 failed');
  expect(seen.size).toBeGreaterThan(CLIENTS);
  expect(threads()).toEqual(expect.arrayContaining([...seen]));
});
