import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { cgroupsOf } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { stuckIn } from '../support/stuck.ts';

const PM_QOS = '/dev/cpu_dma_latency';

/** As src/kernel/cpu-latency.ts has it. */
const AWAKE_CPUS_LIMIT = 16;

/** What all together ask for, in microseconds (Documentation/power/pm_qos_interface.rst). */
function latency(): number {
  const value = new Int32Array(1);
  const fd = openSync(PM_QOS, 'r');
  try {
    readSync(fd, value);
  } finally {
    closeSync(fd);
  }
  return value[0] ?? -1;
}

/** Why it cannot be seen here. */
function whyNot(): string | undefined {
  if (availableParallelism() > AWAKE_CPUS_LIMIT) return 'this machine has too many processors';
  try {
    latency();
  } catch (error) {
    return String(error);
  }
  return undefined;
}

const mayAllSleep = () => latency() > 0;

const isFreezing = (tree: Mounted, cgroup: string) =>
  readFileSync(`${tree.cgroup()}/${cgroup}/cgroup.freeze`, 'utf8') === '1\n';

it('processors are kept awake for whoever waits, and sleep when nobody does', async ({ skip }) => {
  skip(whyNot() !== undefined, whyNot());
  await using tree = await mounted();
  const asked = new Set<number>();
  let isDone = false;
  const made = tree.ok('for i in $(seq 50); do mkdir $i; echo running > $i/.state; rm -rf $i; done');
  void made.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    asked.add(latency());
    await new Promise(setImmediate);
  }
  await made;
  expect(asked).toContain(0);
  await eventually(mayAllSleep, 'all is done');
});

it('processors are kept awake for nobody but root', async ({ skip }) => {
  skip(whyNot() !== undefined, whyNot());
  await using tree = await mounted();
  const asked = new Set<number>();
  let isDone = false;
  const read = tree.ok(
    'setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "for i in \\$(seq 200); do cat .stat; done"',
  );
  void read.finally(() => {
    isDone = true;
  });
  await eventually(mayAllSleep, 'the mount is done');
  while (!isDone) {
    asked.add(latency());
    await new Promise(setImmediate);
  }
  await read;
  expect(asked).not.toContain(0);
});

it('processors sleep while something takes long', async ({ skip }) => {
  skip(whyNot() !== undefined, whyNot());
  await using tree = await mounted();
  await using stuck = await stuckIn(tree, 'web');
  let isDone = false;
  const frozen = tree.sh('echo frozen > web/.state');
  void frozen.finally(() => {
    isDone = true;
  });
  await eventually(() => cgroupsOf(tree).some((cgroup) => isFreezing(tree, cgroup)), 'it is being frozen');
  await eventually(mayAllSleep, 'it waits for a process that cannot be frozen');
  expect(isDone).toBe(false);
  stuck.letGo();
  await frozen;
});
