import type { Group } from '../group.ts';
import { timing, type Helpers, type Timings } from '../helpers.ts';
import { mountLibfusePeer } from '../libfuse.ts';
import { CORE, pin } from '../pin.ts';
import type { Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';
import { describeRequests, mountTree, requestsSince, type Requests } from '../tree.ts';

const COUNTED = 200;
const PEER = 'libfuse3 in C';
const AT_MOST = { of: 'ratio', limit: 1.3 } as const;

export const requests: Group = {
  name: 'requests',
  title: 'Single requests, nothing cached',
  method:
    'One client, a loop in C, on `.state` of a running container and on the same file of a single-threaded libfuse3 ' +
    'low-level server in C; in turns; attributes live 0 s and names 1 s in both, direct_io, no FLUSH, ' +
    'default_permissions. The kernel sends GETATTR before such an OPEN in both; it is subtracted in the row that says so.',
  async *measure({ helpers, quick }) {
    yield* countRequests(helpers);
    await using peer = await mountLibfusePeer(helpers);
    await using tree = await mountTree();
    const ours = `${tree.dir}/c0`;
    await helpers.client('start', tree.dir, 1, { name: 'c' });
    const plan = { helpers, ours, theirs: peer.dir, rounds: quick ? 7 : 15, batch: quick ? 3_000 : 10_000 };

    yield* compare({ ...plan, suffix: '' });
    await pin(tree.daemonPid());
    await pin(peer.pid);
    yield* compare({ ...plan, suffix: ', all on one core', core: CORE });
  },
};

interface Plan {
  readonly helpers: Helpers;
  readonly ours: string;
  readonly theirs: string;
  readonly rounds: number;
  /** Operations timed together. */
  readonly batch: number;
  readonly suffix: string;
  readonly core?: number;
}

function* rowsOf(suffix: string, getattr: Pairs, open: Pairs): Generator<Row> {
  const opening = {
    ours: open.ours.map((ns, index) => ns - (getattr.ours[index] ?? 0)),
    theirs: open.theirs.map((ns, index) => ns - (getattr.theirs[index] ?? 0)),
  };
  yield row(`GETATTR${suffix}`, getattr);
  yield row(`GETATTR + OPEN + READ + RELEASE${suffix}`, open);
  yield { ...row(`OPEN + READ + RELEASE${suffix}`, opening), note: 'the row above less the GETATTR of the same round' };
}

async function* compare({ helpers, ours, theirs, rounds, batch, suffix, core }: Plan): AsyncGenerator<Row> {
  const options = { name: '.state', ...(core === undefined ? {} : { core }) };
  const measured = { getattr: { ours: [], theirs: [] } as Pairs, open: { ours: [], theirs: [] } as Pairs };
  // The first round is a warm-up: compilers, caches.
  for (let round = 0; round <= rounds; round++) {
    for (const [operation, pairs] of Object.entries(measured)) {
      const our = medianNs(await helpers.client(operation, ours, batch, options), operation);
      const their = medianNs(await helpers.client(operation, theirs, batch, options), operation);
      if (round === 0) continue;
      pairs.ours.push(our);
      pairs.theirs.push(their);
    }
  }
  yield* rowsOf(suffix, measured.getattr, measured.open);
}

interface Pairs {
  readonly ours: number[];
  readonly theirs: number[];
}

function row(what: string, { ours, theirs }: Pairs): Row {
  const values = { ours: median(ours) / 1e3, theirs: median(theirs) / 1e3, ratio: medianRatio(ours, theirs) };
  return { what, unit: 'µs', peer: PEER, ...values, atMost: AT_MOST };
}

/** The middle operation of a batch: a RELEASE, which nobody waits for, is in the way of the next. */
function medianNs(timings: Timings, operation: string): number {
  return timing(timings, operation).medianNs;
}

/** Proof that both sides are asked the same: requests per operation, counted. */
async function* countRequests(helpers: Helpers): AsyncGenerator<Row> {
  for (const operation of ['getattr', 'open']) {
    const options = { name: '.state' };
    const peer = await mountLibfusePeer(helpers);
    let theirs: Requests;
    try {
      await helpers.client(operation, peer.dir, COUNTED, options);
    } finally {
      theirs = await peer.end();
    }
    await using tree = await mountTree({ traced: true });
    await helpers.client('start', tree.dir, 1, { name: 'c' });
    const before = tree.requests();
    await helpers.client(operation, `${tree.dir}/c0`, COUNTED, options);
    const ours = requestsSince(before, tree.requests());
    yield {
      what: `requests of ${COUNTED} × ${operation === 'open' ? 'open + read + close' : 'stat'}`,
      unit: 'requests',
      peer: PEER,
      ours: perRun(ours),
      theirs: perRun(theirs),
      note: `ours ${describeRequests(ours)}; ${PEER} ${describeRequests(theirs)}`,
    };
  }
}

const COUNTED_KINDS = ['GETATTR', 'OPEN', 'READ', 'RELEASE', 'FLUSH'];

function perRun(requests: Requests): number {
  return COUNTED_KINDS.reduce((sum, name) => sum + (requests.get(name) ?? 0), 0);
}
