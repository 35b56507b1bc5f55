import { writeFileSync } from 'node:fs';
import type { Bench, Group } from '../group.ts';
import { timing } from '../helpers.ts';
import type { Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';
import { mountTmpfs } from '../tmpfs.ts';
import { describeRequests, mountTree, requestsSince, totalOf, type Requests, type Tree } from '../tree.ts';

const SIZES = [1_000, 10_000];
const AT_MOST = { of: 'ratio', limit: 1.3 } as const;
const COLD_SIZE = 10_000;
const COLD_AT_MOST = { of: 'ours', limit: 500 } as const;

/** One of each pair is measured before the other; which, changes. */
const WARM_UPS = 2;

interface Walk {
  readonly name: string;
  readonly unit: 'µs' | 'ms';
  /** In the row's unit. */
  readonly measure: (bench: Bench, dir: string, count: number) => Promise<number>;
}

const WALKS: readonly Walk[] = [
  {
    name: 'stat',
    unit: 'µs',
    measure: async ({ helpers }, dir, count) => timing(await helpers.client('stat', dir, count), 'stat').medianNs / 1e3,
  },
  { name: 'ls -l', unit: 'ms', measure: (bench, dir) => commandMs(bench, ['ls', '-l', dir]) },
  { name: 'find', unit: 'ms', measure: (bench, dir) => commandMs(bench, ['find', dir]) },
];

export const walk: Group = {
  name: 'walk',
  title: 'Walking, beside tmpfs',
  method:
    'Directories in a directory of tmpfs, containers that never started in a container; in turns, `stat` in a C loop over ' +
    'all names, `ls -l` and `find` as commands with their output to /dev/null. Requests are counted from the trace of the ' +
    'daemon over all warm rounds. Cold: after `echo N > /proc/sys/vm/drop_caches`.',
  async *measure(bench) {
    await using tree = await mountTree({ traced: true });
    await using tmpfs = await mountTmpfs();
    for (const count of SIZES) {
      const name = `of${count}-`;
      for (const dir of [tree.dir, tmpfs.dir]) {
        await bench.helpers.client('mkdir', dir, 1, { name });
        await bench.helpers.client('mkdir', `${dir}/${name}0`, count);
      }
      yield* warm(bench, { tree, ours: `${tree.dir}/${name}0`, theirs: `${tmpfs.dir}/${name}0`, count });
    }
    const name = `of${COLD_SIZE}-0`;
    yield* cold(bench, `${tree.dir}/${name}`, `${tmpfs.dir}/${name}`);
  },
};

interface Place {
  readonly tree: Tree;
  readonly ours: string;
  readonly theirs: string;
  readonly count: number;
}

async function* warm(bench: Bench, { tree, ours, theirs, count }: Place): AsyncGenerator<Row> {
  const rounds = bench.quick ? 7 : 21;
  for (const { name, unit, measure } of WALKS) {
    for (let i = 0; i < WARM_UPS; i++) {
      await measure(bench, ours, count);
      await measure(bench, theirs, count);
    }
    const before = tree.requests();
    const [our, their]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      if (round % 2 === 0) our.push(await measure(bench, ours, count));
      their.push(await measure(bench, theirs, count));
      if (round % 2 === 1) our.push(await measure(bench, ours, count));
    }
    const what = `warm ${name} of ${count.toLocaleString('en')}`;
    const ratio = medianRatio(our, their);
    yield { what, unit, peer: 'tmpfs', ours: median(our), theirs: median(their), ratio, atMost: AT_MOST };
    yield requestsRow(what, rounds, requestsSince(before, tree.requests()));
  }
}

/** STATFS is set apart: the kernel asks it each time, whatever a FUSE file system would like, and find does it once. */
function requestsRow(what: string, rounds: number, requests: Requests): Row {
  const cacheable = new Map([...requests].filter(([name]) => name !== 'STATFS'));
  const statfs = requests.get('STATFS') ?? 0;
  const seen = describeRequests(requests);
  return {
    what: `requests of ${rounds} × ${what}`,
    unit: 'requests',
    ours: totalOf(cacheable),
    atMost: { of: 'ours', limit: 0 },
    ...(statfs === 0 ? {} : { note: `not counted: fstatfs(2), once by each find, which FUSE cannot cache (${seen})` }),
    ...(cacheable.size === 0 ? {} : { note: seen }),
  };
}

async function* cold(bench: Bench, ours: string, theirs: string): AsyncGenerator<Row> {
  const rounds = bench.quick ? 3 : 7;
  for (const what of ['2', '3']) {
    const [our, their]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      our.push(await afterDropping(bench, what, ours));
      their.push(await afterDropping(bench, what, theirs));
    }
    yield {
      what: `cold ls -l of ${COLD_SIZE.toLocaleString('en')}, drop_caches ${what}`,
      unit: 'ms',
      peer: 'tmpfs',
      ours: median(our),
      theirs: median(their),
      ratio: medianRatio(our, their),
      atMost: COLD_AT_MOST,
      note: what === '2' ? 'dentries and inodes dropped' : 'and pages, then `ls -l /proc/self` to have ls in memory',
    };
  }
}

async function afterDropping(bench: Bench, what: string, dir: string): Promise<number> {
  writeFileSync('/proc/sys/vm/drop_caches', what);
  await commandMs(bench, ['ls', '-l', '/proc/self']);
  return commandMs(bench, ['ls', '-l', dir]);
}

async function commandMs({ helpers }: Bench, command: readonly string[]): Promise<number> {
  return timing(await helpers.cycle(1, 9, ['--start', ...command]), 'start').totalNs / 1e6;
}
