import type { Group } from '../group.ts';
import { timing, type Helpers, type Timing } from '../helpers.ts';
import type { Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';
import { mountTree } from '../tree.ts';

const PEER = 'fuse-native';
const CLIENTS = 4;

/** One kind of operation: what is timed, by which operations of c/client.c, and how the time is told. */
interface Kind {
  readonly what: string;
  readonly unit: 'µs' | 'ms';
  readonly count: number;
  readonly measure: (helpers: Helpers, dir: string, count: number) => Promise<number>;
}

const onState = (operation: string) => async (helpers: Helpers, dir: string, count: number) =>
  timing(await helpers.client(operation, `${dir}/c0`, count, { name: '.state' }), operation).medianNs / 1e3;

const KINDS: readonly Kind[] = [
  { what: 'GETATTR', unit: 'µs', count: 3_000, measure: onState('getattr') },
  { what: 'GETATTR + OPEN + READ + RELEASE', unit: 'µs', count: 1_000, measure: onState('open') },
  {
    what: 'LOOKUP of what is not there',
    unit: 'µs',
    count: 2_000,
    measure: async (helpers, dir, count) => timing(await helpers.client('absent', dir, count), 'absent').medianNs / 1e3,
  },
  {
    what: 'mkdir',
    unit: 'µs',
    count: 300,
    async measure(helpers, dir, count) {
      const { medianNs } = timing(await helpers.client('mkdir', dir, count, { name: 'made' }), 'mkdir');
      await helpers.client('rmdir', dir, count, { name: 'made' });
      return medianNs / 1e3;
    },
  },
  {
    what: 'start + kill + remove',
    unit: 'ms',
    count: 20,
    async measure(helpers, dir, count) {
      const timings = await helpers.client('cycle', dir, count, { name: 'cycle' });
      return (timing(timings, 'start').medianNs + timing(timings, 'remove').medianNs) / 1e6;
    },
  },
  {
    what: `GETATTR of ${CLIENTS} clients at once, the time for one`,
    unit: 'µs',
    count: 2_000,
    async measure(helpers, dir, count) {
      const clients = Array.from({ length: CLIENTS }, () =>
        helpers.client('getattr', `${dir}/c0`, count, { name: '.state' }),
      );
      const each = (await Promise.all(clients)).map((timings): Timing => timing(timings, 'getattr'));
      return median(each.map(({ totalNs }) => totalNs / count / CLIENTS)) / 1e3;
    },
  },
];

export const adapters: Group = {
  name: 'adapters',
  title: 'The two adapters',
  method:
    'The device, root’s, beside fuse-native, by which ordinary users mount; both were mounted by root, who gives containers ' +
    'the same namespaces in both. In turns, by the client in C. Nothing that was measured is kept by the kernel in either; ' +
    'what the device lets it keep, warm walks above all, is a request each time through fuse-native.',
  async *measure({ helpers, quick }) {
    await using device = await mountTree();
    await using native = await mountTree({ adapter: 'fuse-native' });
    for (const { dir } of [device, native]) await helpers.client('start', dir, 1, { name: 'c' });
    for (const kind of KINDS) yield await compare(helpers, kind, device.dir, native.dir, quick ? 3 : 9);
  },
};

async function compare(helpers: Helpers, kind: Kind, device: string, native: string, rounds: number): Promise<Row> {
  const { what, unit, count, measure } = kind;
  const [ours, theirs]: [number[], number[]] = [[], []];
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++) {
    const pair = [await measure(helpers, device, count), await measure(helpers, native, count)] as const;
    if (round === 0) continue;
    ours.push(pair[0]);
    theirs.push(pair[1]);
  }
  const values = { ours: median(ours), theirs: median(theirs), ratio: medianRatio(ours, theirs) };
  return { what, unit, peer: PEER, ...values };
}
