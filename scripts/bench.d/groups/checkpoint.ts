import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dumpArguments, externalMounts, PROGRAM_INSIDE } from '../../../src/checkpoint/arguments.ts';
import { findCriu } from '../../../src/checkpoint/criu.ts';
import { reasonOf, run } from '../command.ts';
import type { Bench, Group } from '../group.ts';
import type { Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';
import { mountTree, NSDIR, type Tree } from '../tree.ts';

const LIMIT_MS = 120_000;
const BEGIN_LIMIT_MS = 30_000;
const LOOK_MS = 20;
/** What is shorter is no freezing. */
const SETTLE_MS = 300;

const SIZES = [0, 64, 512] as const;

/** Of ours to plain criu's. */
const FROZEN_AT_MOST = { of: 'ratio', limit: 1.15 } as const;

export const checkpoint: Group = {
  name: 'checkpoint',
  title: 'Checkpoint and restore, beside plain criu and runc',
  method:
    'A static program that holds so much memory and measures for how long it did not run. Ours is `touch web/.checkpoint`, ' +
    'which returns when all is written and hashed, and `cp -a` of what was saved. Plain criu dumps the same container with ' +
    'the same options, from outside. runc runs the same program in a root of its own, without net, and checkpoints with ' +
    '--leave-running; its restore is after it was killed. In turns; medians.',
  async *measure(bench: Bench) {
    const { scratch, quick } = bench;
    const held = path.join(scratch, 'held');
    await run('cc', ['-O2', '-static', '-o', held, new URL('../c/held.c', import.meta.url).pathname], LIMIT_MS);
    for (const megabytes of SIZES) yield* compare(bench, held, megabytes, quick ? 2 : 5);
  },
};

interface Figures {
  readonly frozen: number[];
  readonly dump: number[];
  readonly restore: number[];
}

const noFigures = (): Figures => ({ frozen: [], dump: [], restore: [] });

async function* compare({ scratch }: Bench, held: string, megabytes: number, rounds: number): AsyncGenerator<Row> {
  await using tree = await mountTree();
  const what = megabytes === 0 ? '1 process' : `${megabytes} MB`;
  const [ours, criu, runc] = [noFigures(), noFigures(), noFigures()];
  const report = path.join(scratch, 'report');
  rmSync(report, { force: true });
  await run(process.execPath, [NSDIR, 'run', '-d', 'web', '--', held, report, String(megabytes)], LIMIT_MS, {
    env: { NSDIR_MOUNT: tree.dir },
  });
  await appears(report);
  for (let round = 0; round < rounds; round += 1) {
    await measureFrozen(report, ours, () => run('touch', [`${tree.dir}/web/.checkpoint`], LIMIT_MS));
    await run('rm', ['-r', `${tree.dir}/web/.checkpoint`], LIMIT_MS);
    await measureFrozen(report, criu, () => plainDump(tree, scratch));
    // What is still to be written to disk would be in the way of the next one.
    rmSync(path.join(scratch, 'plain'), { recursive: true });
  }
  for (let round = 0; round < rounds; round += 1) ours.restore.push(await restoreOurs(tree, scratch));
  let failure: string | undefined;
  try {
    await measureRunc(runc, { scratch, held, megabytes, rounds });
  } catch (error) {
    failure = reasonOf(error);
  }
  const frozen = {
    ours: median(ours.frozen),
    theirs: median(criu.frozen),
    ratio: medianRatio(ours.frozen, criu.frozen),
  };
  yield { what: `frozen, ${what}`, unit: 'ms', peer: 'plain criu', ...frozen, atMost: FROZEN_AT_MOST };
  const dump = { ours: median(ours.dump), theirs: median(criu.dump), ratio: medianRatio(ours.dump, criu.dump) };
  yield { what: `dump, ${what}`, unit: 'ms', peer: 'plain criu', ...dump, note: 'ours with hashes' };
  for (const kind of ['frozen', 'dump', 'restore'] as const) {
    const row = { what: `${kind}, ${what}`, unit: 'ms', peer: 'runc checkpoint', ours: median(ours[kind]) } as const;
    if (failure === undefined)
      yield { ...row, theirs: median(runc[kind]), ratio: median(ours[kind]) / median(runc[kind]) };
    else yield { ...row, failure };
  }
}

/** Adds how long the command took, and for how long the program did not run meanwhile. */
async function measureFrozen(report: string, into: Figures, command: () => Promise<string>): Promise<void> {
  rmSync(report, { force: true });
  await appears(report);
  into.dump.push(await timeOf(command));
  await sleep(SETTLE_MS);
  into.frozen.push(Number(readFileSync(report, 'utf8')) / 1e6);
}

async function plainDump(tree: Tree, scratch: string): Promise<string> {
  const { program } = await findCriu();
  const images = path.join(scratch, 'plain');
  rmSync(images, { recursive: true, force: true });
  mkdirSync(images);
  const args = dumpArguments({
    init: Number(path.basename(await run('readlink', [`${tree.dir}/web/.init`], LIMIT_MS))),
    cgroupDir: `${(await run('readlink', [`${tree.dir}/web/.cgroup`], LIMIT_MS)).trim()}/own`,
    imagesDir: images,
    workDir: images,
    mounts: externalMounts({ tree: tree.dir, program: PROGRAM_INSIDE, disks: [] }),
  });
  return await run(program, args, LIMIT_MS);
}

async function restoreOurs(tree: Tree, scratch: string): Promise<number> {
  const saved = path.join(scratch, 'saved');
  rmSync(saved, { recursive: true, force: true });
  await run('cp', ['-a', `${tree.dir}/web`, saved], LIMIT_MS);
  await run('rm', ['-rf', `${tree.dir}/web`], LIMIT_MS);
  return await timeOf(() => run('cp', ['-a', saved, `${tree.dir}/web`], LIMIT_MS));
}

interface RuncRun {
  readonly scratch: string;
  readonly held: string;
  readonly megabytes: number;
  readonly rounds: number;
}

interface OciSpec {
  process: { terminal: boolean; args: string[] };
  root: { path: string; readonly: boolean };
  linux: { namespaces: { type: string }[] };
}

async function measureRunc(into: Figures, { scratch, held, megabytes, rounds }: RuncRun): Promise<void> {
  const [bundle, rootfs, images] = ['bundle', 'runc-root', 'runc-images'].map((name) => path.join(scratch, name)) as [
    string,
    string,
    string,
  ];
  for (const directory of [bundle, ...['proc', 'sys', 'dev', 'tmp'].map((name) => path.join(rootfs, name))]) {
    mkdirSync(directory, { recursive: true });
  }
  copyFileSync(held, path.join(rootfs, 'held'));
  const file = path.join(bundle, 'config.json');
  if (!existsSync(file)) await run('runc', ['spec', '-b', bundle], LIMIT_MS);
  const spec = JSON.parse(readFileSync(file, 'utf8')) as OciSpec;
  spec.process = { ...spec.process, terminal: false, args: ['/held', '/tmp/report', String(megabytes)] };
  spec.root = { path: rootfs, readonly: false };
  spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network');
  writeFileSync(file, JSON.stringify(spec));
  const env = { PATH: `${path.dirname((await findCriu()).program)}:${process.env['PATH'] ?? ''}` };
  const runc = (...args: string[]) =>
    run('runc', ['--root', path.join(scratch, 'runc'), ...args], LIMIT_MS, { env, stdout: 'ignore', stderr: 'ignore' });
  const report = path.join(rootfs, 'tmp/report');
  rmSync(report, { force: true });
  await runc('run', '-d', '-b', bundle, 'held');
  try {
    await appears(report);
    for (let round = 0; round < rounds; round += 1) {
      rmSync(images, { recursive: true, force: true });
      await measureFrozen(report, into, () => runc('checkpoint', '--leave-running', '--image-path', images, 'held'));
      await runc('delete', '-f', 'held');
      into.restore.push(await timeOf(() => runc('restore', '-d', '-b', bundle, '--image-path', images, 'held')));
    }
  } finally {
    await runc('delete', '-f', 'held').catch(() => '');
  }
}

async function timeOf(command: () => Promise<string>): Promise<number> {
  const begun = performance.now();
  await command();
  return performance.now() - begun;
}

async function appears(file: string): Promise<void> {
  const end = performance.now() + BEGIN_LIMIT_MS;
  while (performance.now() < end) {
    if (existsSync(file)) return;
    await sleep(LOOK_MS);
  }
  throw new Error(`${file} did not appear`);
}
