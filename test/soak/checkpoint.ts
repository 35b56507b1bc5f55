import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { counting, countingIn, nothingHeld, wentOn, type Counting } from '../support/checkpoints.ts';
import { cgroupsOf, detached, processesOf, scratch } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

/**
 * `npm run soak:checkpoint [DUMPS [RESTORES]]`: as many checkpoints and restores, under load, the daemon killed at a random
 * moment in each. Ends with 1 if a container, or anything else, was harmed.
 */
const ROUNDS = 100;

/** A dump or restore takes some 0.3 s here: it is killed in, and sometimes after, each of its steps. */
const MOMENT_MAX_MS = 600;

const SETTLE_MS = 30_000;

const [dumps = ROUNDS, restores = ROUNDS] = process.argv.slice(2).map(Number);
const tally: Record<string, number> = {};
const faults: string[] = [];
const count = (what: string) => (tally[what] = (tally[what] ?? 0) + 1);

await using tree = await mounted();
using disk = scratch();
const archive = disk.at('web.tar');
tree.background('sh', '-c', 'while :; do :; done');
await detached(tree, 'load', ['sh', '-c', 'while :; do sleep 0.01; done']);

await attempt('dumps', dumps, async () => {
  const counters = await family();
  return async () => {
    const saving = tree.sh(`tar cf ${archive} web`);
    await killed();
    const { status } = await saving;
    await unharmed(counters);
    for (const counter of counters) wentOn(counter.numbers(), Number.POSITIVE_INFINITY);
    count(status === 0 ? 'dumps that succeeded' : 'dumps that failed');
    if (status !== 0) return;
    await tree.ok(`rm -rf web && tar xf ${archive}`);
    await unharmed(counters);
  };
});

await attempt('restores', restores, async () => {
  const counters = await family();
  await tree.ok(`tar cf ${archive} web && rm -rf web`);
  const sum = await tree.ok(`md5sum ${archive}`);
  return async () => {
    const unpacking = tree.sh(`tar xf ${archive}`);
    await killed();
    const { status } = await unpacking;
    const state = await tree.ok('cat web/.state 2>/dev/null || echo none');
    const inner = await tree.ok('cat web/job/.state 2>/dev/null || echo none');
    if (status === 0 && (state !== 'running' || inner !== 'running')) throw new Error(`status 0, ${state}, ${inner}`);
    if (state === 'running') await counters[0]?.beyond(counters[0].last());
    if (inner === 'running') await counters[1]?.beyond(counters[1].last());
    if (![state, inner].every((word) => ['running', 'none'].includes(word))) throw new Error(`${state}, ${inner}`);
    count(state === 'running' ? (inner === 'running' ? 'restored' : 'restored in part') : 'not restored');
    await tree.ok('rm -rf web');
    await nothingOf();
    if ((await tree.ok(`md5sum ${archive}`)) !== sum) throw new Error('the archive is another one');
    // It is as good as ever.
    await tree.ok(`tar xf ${archive}`);
    await unharmed(counters);
    await tree.ok('rm -rf web');
    await nothingOf();
  };
});

/** Two counters, one in a container in the other's. */
async function family(): Promise<readonly Counting[]> {
  await tree.ok('rm -rf web');
  await tree.ok(`rm -f ${disk.at('outer')} ${disk.at('inner')}`);
  const outer = await counting(tree, 'web', disk.at('outer'));
  await tree.ok('mkdir web/job');
  return [outer, await counting(tree, 'web/job', disk.at('inner'))].map(({ file }) => countingIn(file));
}

async function killed(): Promise<void> {
  await sleep(Math.random() * MOMENT_MAX_MS);
  await tree.killDaemon();
}

async function unharmed(counters: readonly Counting[]): Promise<void> {
  for (const counter of counters) await counter.beyond(counter.last() + 2);
  if ((await tree.ok('cat web/.state web/job/.state')) !== 'running\nrunning') throw new Error('it does not run');
  await nothingHeld(tree);
  await eventually(() => hands(tree).length === 0, 'no criu, and nobody traced', SETTLE_MS);
}

async function nothingOf(): Promise<void> {
  await eventually(() => cgroupsOf(tree).length === 1 && hands(tree).length === 0, 'nothing of it is left', SETTLE_MS);
  await eventually(() => processesOf(tree).length <= 4, 'only the load runs', SETTLE_MS);
  await nothingHeld(tree);
}

/** Who works on the containers of this mount still: criu with its directories, and whoever traces one of their processes. */
function hands({ instance }: Mounted): string[] {
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const own = new Set(processesOf(tree).map(String));
  return names.filter((name) => {
    const isCriu = textOf(`/proc/${name}/cmdline`).includes(`${instance.stateDir}/`) && !own.has(name);
    return isCriu || (own.has(name) && !/^TracerPid:\t0$/m.test(textOf(`/proc/${name}/status`) || 'TracerPid:\t0\n'));
  });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** After a fault all is begun anew, so that one does not make more. */
async function attempt(what: string, rounds: number, begin: () => Promise<() => Promise<void>>): Promise<void> {
  let round: (() => Promise<void>) | undefined;
  for (let number = 1; number <= rounds; number++) {
    try {
      round ??= await begin();
      await round();
    } catch (error) {
      faults.push(`${what} ${number}: ${(error as Error).message} (${await tree.ok('cat web/.error || :')})`);
      round = undefined;
    }
  }
}

console.log(`${dumps} dumps and ${restores} restores, the daemon killed in each: ${JSON.stringify(tally)}`);
console.log(`faults: ${faults.length}`);
for (const line of faults) console.log(`  ${line}`);
process.exitCode = faults.length > 0 ? 1 : 0;
