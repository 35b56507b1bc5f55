import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { instanceFor, runFiles } from '../../../src/instance.ts';
import type { Bench, Group } from '../group.ts';
import { timing } from '../helpers.ts';
import type { Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';
import { mountTree, type Tree } from '../tree.ts';

/** Loops of two seconds differ by a tenth from one to the next: so many, of whose ratios the median is told. */
const MAKER_ROUNDS = 15;
const PROCESSES = 5_000;
const STORM_PER_SECOND = 2_000;
const STORM_SECONDS = 5;
/** It ends with thousands killed at once, for whose deaths whoever asks waits for a processor: no storm any more. */
const STORM_LONGER_SECONDS = 1;
const QUIET_SECONDS = 10;
/** Of so many times, the median: V8 collects garbage once in a while, however little happens. */
const QUIET_TIMES = 3;
const SETTLE_MS = 6_000;

/** sysconf(3), _SC_CLK_TCK. */
const TICKS_PER_SECOND = 100;

export const discovery: Group = {
  name: 'discovery',
  title: 'What it costs to see containers that others make',
  method:
    'fork + unshare(2) of a UTS namespace + exit, with the daemon and without, in turns; the share of a core that the daemon ' +
    'takes, from /proc/PID/stat, ten seconds long: at first the garbage of the first picture is collected, which is no steady ' +
    'state, which is the median of three times; the first picture as the daemon logs it; stat(2) of an entry that is not cached, every 2 ms, in a storm that another session makes, and that goes on when they are done.',
  async *measure({ helpers, quick }: Bench) {
    const loops = quick ? 2_000 : 10_000;
    const loop = async () => timing(await helpers.maker('exits', String(loops)), 'exits');
    const [ours, theirs] = [[] as number[], [] as number[]];
    for (let round = 0; round < (quick ? 3 : MAKER_ROUNDS); round++) {
      const withDaemon = async () => {
        await using _tree = await mountTree();
        await sleep(1_000);
        ours.push((await loop()).totalNs / loops / 1e3);
      };
      const without = async () => theirs.push((await loop()).totalNs / loops / 1e3);
      for (const measure of round % 2 === 0 ? [withDaemon, without] : [without, withDaemon]) await measure();
    }
    yield {
      ...{ what: 'a maker’s fork + unshare + exit', unit: 'µs', peer: 'no daemon' },
      ...{ ours: median(ours), theirs: median(theirs), ratio: medianRatio(ours, theirs) },
      atMost: { of: 'ratio', limit: 1.05 },
    };
    yield* afterwards(helpers, loops);
    yield* among(helpers);
    yield* inStorm(helpers);
  },
};

async function* afterwards(helpers: Bench['helpers'], loops: number): AsyncGenerator<Row> {
  await using tree = await mountTree();
  await helpers.maker('exits', String(loops));
  await sleep(SETTLE_MS);
  yield share('share of a core after 10,000 of them', await cpuShare(tree), 5);
}

async function* among(helpers: Bench['helpers']): AsyncGenerator<Row> {
  await using _held = await holding(helpers);
  await using tree = await mountTree();
  const stats = timing(await helpers.maker('stats', `${tree.dir}/.state`, '3'), 'stats');
  await sleep(SETTLE_MS);
  const firstMs = Number(/"ms":(\d+),"msg":"the first picture/.exec(readFileSync(logOf(tree), 'utf8'))?.[1]);
  yield { what: 'the first picture, 5,000 processes', unit: 'ms', ours: firstMs, atMost: { of: 'ours', limit: 1_000 } };
  yield { what: 'share of a core among 5,000 processes, at first', unit: '%', ours: await cpuShare(tree) };
  await sleep(SETTLE_MS);
  const shares = [];
  for (let time = 0; time < QUIET_TIMES; time++) shares.push(await cpuShare(tree));
  yield share('share of a core among 5,000 processes', median(shares), 2);
  yield {
    ...{ what: 'the slowest stat during the first picture', unit: 'ms', ours: stats.slowestNs / 1e6 },
    atMost: { of: 'ours', limit: 50 },
  };
}

async function* inStorm(helpers: Bench['helpers']): AsyncGenerator<Row> {
  await using tree = await mountTree();
  await sleep(1_000);
  const before = anonymousKiB(tree);
  const storm = helpers.maker('storm', String(STORM_PER_SECOND), String(STORM_SECONDS + STORM_LONGER_SECONDS));
  const stats = timing(await helpers.maker('stats', `${tree.dir}/.state`, String(STORM_SECONDS)), 'stats');
  await storm;
  yield {
    ...{ what: 'the slowest stat among 2,000 new sets a second', unit: 'ms', ours: stats.slowestNs / 1e6 },
    atMost: { of: 'ours', limit: 50 },
  };
  yield { what: 'a stat then', unit: 'ms', ours: stats.medianNs / 1e6 };
  await sleep(SETTLE_MS);
  yield { what: 'memory the daemon took in it', unit: 'KiB', ours: anonymousKiB(tree) - before };
  yield share('share of a core after it', await cpuShare(tree), 5);
}

function share(what: string, percent: number, limit: number): Row {
  return { what, unit: '%', ours: percent, atMost: { of: 'ours', limit } };
}

/** In percent, over some seconds. */
async function cpuShare(tree: Tree): Promise<number> {
  const before = ticksOf(tree.daemonPid());
  await sleep(QUIET_SECONDS * 1_000);
  return ((ticksOf(tree.daemonPid()) - before) / TICKS_PER_SECOND / QUIET_SECONDS) * 100;
}

/** Of all its threads (proc_pid_stat(5), utime and stime). */
function ticksOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function anonymousKiB(tree: Tree): number {
  const text = readFileSync(`/proc/${tree.daemonPid()}/smaps_rollup`, 'utf8');
  return Number(/^Pss_Anon:\s+(\d+)/m.exec(text)?.[1]);
}

function logOf(tree: Tree): string {
  return runFiles(instanceFor(tree.dir)).daemonLog;
}

/** As many processes as that, until disposed. */
async function holding(helpers: Bench['helpers']): Promise<AsyncDisposable> {
  const child = spawn(helpers.makerProgram, ['hold', String(PROCESSES), '120'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(createInterface({ input: child.stdout }), 'line');
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      await sleep(1_000);
    },
  };
}
