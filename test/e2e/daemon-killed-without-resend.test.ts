import { afterAll, beforeAll, expect, test } from 'vitest';
import { killDaemons, serving } from '../support/daemon-deaths.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted('--no-resend');
});
afterAll(() => tree[Symbol.asyncDispose]());

const KILLS = 10;
const WITHIN_MS = 1_000;
const SECONDS = 14;
const CLIENTS = 3;

/** Makes and removes containers, each under a name of its own; prints its rounds and the errors it saw. */
const CLIENT = `
import os, sys, time
end, rounds, errors = time.time() + ${SECONDS}, 0, []
while time.time() < end:
    name = f'c{os.getpid()}-{rounds}'
    rounds += 1
    for call in (os.mkdir, os.stat, os.rmdir):
        try:
            call(name)
        except OSError as error:
            errors.append(os.strerror(error.errno))
            break
print(rounds, *sorted(set(errors)), sep='|')
print(len(errors))
`;

test(`on a kernel that sends nothing again, ${KILLS} daemons are killed: nobody hangs, the worst is an EINTR`, async () => {
  const client = () => tree.ok(`exec python3 -c "$CLIENT"`, { env: { CLIENT }, timeout: (SECONDS + 30) * 1000 });
  const kills = killDaemons(tree, KILLS, WITHIN_MS);
  const outcomes = await Promise.all([...Array.from({ length: CLIENTS }, client)]);
  await kills;
  await serving(tree);
  for (const outcome of outcomes) {
    const [first = '', errors] = outcome.split('\n');
    const [rounds, ...kinds] = first.split('|');
    expect(Number(rounds)).toBeGreaterThan(10);
    // A request that was read when a daemon died, and not yet written down: nothing of it was done.
    expect(kinds.filter((kind) => kind !== 'Interrupted system call')).toEqual([]);
    expect(Number(errors)).toBeLessThanOrEqual(KILLS);
  }
}, 90_000);
