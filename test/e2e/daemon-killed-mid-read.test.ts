import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { eventually, mounted } from '../support/mounted.ts';

const PROGRAM = fileURLToPath(new URL('../support/killed-while-reading.py', import.meta.url));

it('loses no request when it is killed while it takes one, though it made a process before', async ({ skip }) => {
  skip(availableParallelism() < 2, 'one processor: nobody could kill what does not come to run');
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  for (let round = 0; round < 3; round++) {
    const before = tree.daemonPid();
    expect(await tree.ok(`python3 ${PROGRAM} ${tree.dir} web ${before}`)).toBe('ENOENT');
    await eventually(() => tree.daemonPid() !== before, 'another daemon is there');
  }
});
