import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { reasonOf, run } from '../command.ts';
import {
  BATCH,
  containerPeers,
  makeRootfs,
  peerCgroups,
  removeCgroupsBut,
  type ContainerPeer,
} from '../container-peers.ts';
import type { Bench, Group } from '../group.ts';
import { timing, type Helpers, type Timings } from '../helpers.ts';
import type { Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';
import { mountTree } from '../tree.ts';

const SHORT_MS = 10_000;
const CLEANUP_MS = 60_000;
const SIGKILL = 9;
/** A daemon that has served for a while: its compiler has seen what is done often. */
const WARM_UP_CONTAINERS = 2_000;
/** And one that has not: rounds of `BATCH`. */
const FRESH_ROUNDS = 25;

const AT_MOST = { of: 'ratio', limit: 1 } as const;

export const containers: Group = {
  name: 'containers',
  title: 'Start + kill + remove, beside other tools',
  method:
    'In turns, by C programs. Ours is a directory, so: mkdir(2), `running` written to `.state`, and the unlinks and rmdirs ' +
    'of `rm -rf`; the row below each spawns `mkdir D`, `sh -c "echo running > D/.state"` and `rm -rf D` instead. The peers ' +
    'are command lines; they run a static program that says it runs and waits. Started is when that is said, or when the ' +
    'command that puts it in the background has ended; the end is when all of it is dead and its command is back. Our ' +
    'daemon has made and removed 2,000 before, as one that has been up for a while; the first row is of one that is new.',
  async *measure(bench: Bench) {
    const { helpers, scratch } = bench;
    const rootfs = path.join(scratch, 'rootfs');
    await makeRootfs(helpers, rootfs);
    const leftBefore = await peerCgroups();
    await using tree = await mountTree();
    const dir = `${tree.dir}/bench@`;
    const ours: Contender = {
      steps: [
        ...['--start', 'mkdir', dir, '--start', 'sh', '-c', `echo running > ${dir}/.state`],
        ...['--stop', 'rm', '-rf', dir],
      ],
      signal: SIGKILL,
    };
    const byCalls = async () => sum(await helpers.client('cycle', tree.dir, BATCH, { name: 'call' }));
    const first: number[] = [];
    for (let i = 0; i < FRESH_ROUNDS; i++) first.push(await byCalls());
    yield {
      what: `ours, the first ${FRESH_ROUNDS * BATCH} of a new daemon`,
      unit: 'ms',
      ours: median(first),
      note: 'nothing is compiled yet',
    };
    await helpers.client('cycle', tree.dir, WARM_UP_CONTAINERS, { name: 'warm' });
    try {
      for (const peer of containerPeers({ rootfs, scratch })) yield* compare(bench, ours, byCalls, peer);
    } finally {
      await unmountBelow(scratch);
      await removeCgroupsBut(leftBefore);
    }
  },
};

type Contender = Pick<ContainerPeer, 'steps' | 'signal'>;

async function* compare(
  { helpers, quick }: Bench,
  ours: Contender,
  oursByCalls: () => Promise<number>,
  peer: ContainerPeer,
): AsyncGenerator<Row> {
  const [commands, their, calls]: [number[], number[], number[]] = [[], [], []];
  const row = { what: `beside ${peer.name}`, unit: 'ms', peer: peer.name } as const;
  const failure = await failureOf(async () => {
    const installed = `command -v ${peer.program} || { echo ${peer.program} is not installed >&2; exit 1; }`;
    await run('sh', ['-c', installed], SHORT_MS);
    await peer.prepare?.();
    // A warm-up.
    await round(helpers, peer);
  });
  for (let i = 0; failure === undefined && i < (quick ? 3 : 7); i++) {
    commands.push(await round(helpers, ours));
    their.push(await round(helpers, peer));
    calls.push(await oursByCalls());
  }
  if (failure !== undefined) {
    yield { ...row, failure };
    for (const [program = '', ...args] of peer.leftovers ?? []) await run(program, args, CLEANUP_MS).catch(() => '');
    return;
  }
  const theirs = median(their);
  const byCalls = { ours: median(calls), theirs, ratio: medianRatio(calls, their) };
  yield { ...row, ...byCalls, note: peer.note, ...(peer.forInformation ? {} : { atMost: AT_MOST }) };
  const byCommands = { ours: median(commands), theirs, ratio: medianRatio(commands, their) };
  yield { ...row, what: `${row.what}, ours by commands`, ...byCommands };
}

/** The message of a peer that does not run here. */
async function failureOf(attempt: () => Promise<void>): Promise<string | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** ms of one container, started and gone again. */
async function round(helpers: Helpers, { steps, signal }: Contender): Promise<number> {
  return sum(await helpers.cycle(BATCH, signal, steps));
}

function sum(timings: Timings): number {
  return (timing(timings, 'start').medianNs + timing(timings, 'remove').medianNs) / 1e6;
}

/** Peers bind their storage onto itself. */
async function unmountBelow(scratch: string): Promise<void> {
  mkdirSync(scratch, { recursive: true });
  const mounts = await run('findmnt', ['-rno', 'TARGET'], SHORT_MS);
  const below = mounts.split('\n').filter((target) => target.startsWith(`${scratch}/`));
  for (const target of below.reverse()) await run('umount', [target], SHORT_MS);
}
