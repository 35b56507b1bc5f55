import path from 'node:path';
import { reasonOf, run } from '../command.ts';
import { BATCH, enterPeers, makeRootfs, peerCgroups, removeCgroupsBut, type EnterPeer } from '../container-peers.ts';
import type { Bench, Group } from '../group.ts';
import { timing, type Helpers } from '../helpers.ts';
import type { Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';
import { mountTree } from '../tree.ts';

const SHORT_MS = 30_000;
const SIGKILL = 9;
const NS_PER_MS = 1e6;

/** Enters in a row of ours: enough for a hundredth of them to mean something. */
const ENTERS = 200;

/** Rounds before those that count: a daemon that has been up for a while. */
const WARM_UP = 9;

const AT_MOST_PEER = { of: 'ratio', limit: 1 } as const;

export const enter: Group = {
  name: 'enter',
  title: 'Entering, beside other tools',
  method:
    'Ours is the symlink(2) by which a process that sleeps enters a running container: all namespaces that differ, and the ' +
    'cgroup. The peers spawn their command, which runs a program in a running container that ends at once, since none of ' +
    'them can move a process that runs. 2,000 have entered before, as in a daemon that has been up for a while; the first ' +
    'row is of one that is new.',
  async *measure({ helpers, quick, scratch }: Bench) {
    const rootfs = path.join(scratch, 'rootfs');
    await makeRootfs(helpers, rootfs);
    const leftBefore = await peerCgroups();
    await using tree = await mountTree();
    await run('sh', ['-c', 'mkdir "$0/web" && echo running > "$0/web/.state"', tree.dir], SHORT_MS);
    const init = (await run('readlink', [`${tree.dir}/web/.init`], SHORT_MS)).trim();
    const ours = () => helpers.enter(tree.dir, 'web', quick ? ENTERS / 4 : ENTERS);
    const first = timing(await ours(), 'enter').medianNs / NS_PER_MS;
    yield { what: 'enter, the first of a new daemon', unit: 'ms', ours: first, note: 'nothing is compiled yet' };
    for (let i = 0; i < (quick ? 1 : WARM_UP); i++) await ours();
    const rounds = quick ? 3 : 7;
    const all = [];
    for (let i = 0; i < rounds; i++) all.push(timing(await ours(), 'enter'));
    const p50 = median(all.map(({ medianNs }) => medianNs)) / NS_PER_MS;
    const p99 = median(all.map(({ p99Ns }) => p99Ns)) / NS_PER_MS;
    yield { what: 'enter, median', unit: 'ms', ours: p50, atMost: { of: 'ours', limit: 1 } };
    yield { what: 'enter, 99 of 100', unit: 'ms', ours: p99, atMost: { of: 'ours', limit: 5 } };
    try {
      for (const peer of enterPeers({ rootfs, scratch, init })) yield await beside(helpers, peer, ours, rounds);
    } finally {
      await removeCgroupsBut(leftBefore);
    }
  },
};

async function beside(
  helpers: Helpers,
  peer: EnterPeer,
  ours: () => ReturnType<Helpers['enter']>,
  rounds: number,
): Promise<Row> {
  const row = { what: `beside ${peer.name}`, unit: 'ms', peer: peer.name, note: peer.note } as const;
  const theirOnce = async () =>
    timing(await helpers.cycle(BATCH, SIGKILL, ['--start', ...peer.command]), 'start').medianNs;
  const [mine, theirs]: [number[], number[]] = [[], []];
  try {
    await run(
      'sh',
      ['-c', `command -v ${peer.program} || { echo ${peer.program} is not installed >&2; exit 1; }`],
      SHORT_MS,
    );
    await peer.prepare?.();
    await theirOnce();
    for (let i = 0; i < rounds; i++) {
      mine.push(timing(await ours(), 'enter').medianNs / NS_PER_MS);
      theirs.push((await theirOnce()) / NS_PER_MS);
    }
  } catch (error) {
    return { ...row, failure: reasonOf(error) };
  } finally {
    for (const [program = '', ...args] of peer.leftovers ?? []) await run(program, args, SHORT_MS).catch(() => '');
  }
  return { ...row, ours: median(mine), theirs: median(theirs), ratio: medianRatio(mine, theirs), atMost: AT_MOST_PEER };
}
