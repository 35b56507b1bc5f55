import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { consistent } from '../support/consistency.ts';
import { detached, initOf, inside, nothingLeft, scratch } from '../support/containers.ts';
import { killLauncher, serving } from '../support/daemon-deaths.ts';
import { eventually, isAlive, mounted, type Mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterEach(async () => {
  await tree.ok('rm -rf web next');
  await nothingLeft(tree);
});
afterAll(() => tree[Symbol.asyncDispose]());

test('the launcher is killed while a container starts: that fails or is done, nothing in between', async () => {
  for (const round of [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]) {
    await tree.ok('mkdir web');
    const starting = tree.sh('echo running > web/.state');
    if (round > 1) await new Promise((resolve) => setTimeout(resolve, round * 4));
    killLauncher(tree);
    const { status } = await starting;
    expect(await tree.ok('cat web/.state 2>/dev/null || echo declared')).toBe(status === 0 ? 'running' : 'declared');
    await consistent(tree);
    await tree.ok('rm -rf web');
    const { launcherPid } = runFiles(tree.instance);
    await eventually(() => isAlive(Number(readFileSync(launcherPid, 'utf8'))), 'another launcher runs').catch((e) => { console.log(readFileSync(runFiles(tree.instance).daemonLog, 'utf8').split('\n').slice(-25).join('\n'), readFileSync(launcherPid, 'utf8')); throw e; });
  }
});

