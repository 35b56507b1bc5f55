import * as fs from 'node:fs';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import type { Pid } from '../../src/ids.ts';
import { runFiles } from '../../src/instance.ts';
import { readStat } from '../../src/proc/process.ts';
import { initOf } from '../support/containers.ts';
import { eventually, mounted, NSDIR, type Mounted } from '../support/mounted.ts';

const NICE_FIELD = 19;

/** Of those who always want to run, for each processor: more than it takes. */
const CROWD = 8;

/** Nice values of the process's threads. */
function nices(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map((task) => {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[NICE_FIELD - 3]);
  });
}

const first = (pid: number) => nices(pid).filter((nice) => nice === -10).length;

/** The process that stops others for the daemon, once one entered. */
async function tracerOf(tree: Mounted): Promise<number> {
  await tree.ok(`ln -s ../web .proxy/${tree.background('sleep', '1000').pid ?? 0}`);
  const children = readdirSync('/proc').filter((pid) => /^\d/.test(pid) && parentOf(pid) === tree.daemonPid());
  const tracer = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').endsWith('\0tracer\0'));
  return Number(tracer);
}

function parentOf(pid: string): number | undefined {
  return readStat(fs, Number(pid) as Pid)?.ppid;
}

/** Of the session; undefined on a kernel without such groups. */
function sessionNice(pid: number): number | undefined {
  try {
    return Number(/ nice (-?\d+)/.exec(readFileSync(`/proc/${pid}/autogroup`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

it('is served before others run, by the thread that answers; what it starts is not', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const launcher = Number(readFileSync(runFiles(tree.instance).launcherPid, 'utf8'));
  expect(first(tree.daemonPid())).toBe(1);
  expect([-10, undefined]).toContain(sessionNice(await tracerOf(tree)));
  for (const pid of [launcher, await initOf(tree, 'web')]) {
    expect(nices(pid)).toEqual([0]);
    expect([0, undefined]).toContain(sessionNice(pid));
  }
});

it('has its session served first while others keep it from its turn, and nothing that it starts', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  for (let count = 0; count < CROWD * availableParallelism(); count++) {
    tree.background('setsid', 'sh', '-c', 'while :; do :; done');
  }
  await eventually(async () => {
    await tree.sh('mkdir -p web/job; rmdir web/job');
    return sessionNice(tree.daemonPid()) !== 0;
  }, 'goes first');
  expect([-10, undefined]).toContain(sessionNice(tree.daemonPid()));
  await tree.ok('mkdir web/job; echo running > web/job/.state');
  expect([0, undefined]).toContain(sessionNice(await initOf(tree, 'web/job')));
});

it('leaves a session alone that is not its own, and who was given a nice value', async () => {
  await using tree = await mounted();
  expect((await tree.nsdir('umount', tree.dir)).status).toBe(0);
  const serving = async () => {
    await eventually(async () => (await tree.sh(`cat ${tree.dir}/.state`)).status === 0, 'serves');
  };
  const own = sessionNice(process.pid);
  tree.background(process.execPath, NSDIR, 'mount', '-f', tree.dir);
  await serving();
  expect(first(tree.daemonPid())).toBe(1);
  expect(sessionNice(process.pid)).toBe(own);
  expect((await tree.nsdir('umount', tree.dir)).status).toBe(0);
  await tree.ok(`cd /; exec nice -n 5 ${process.execPath} ${NSDIR} mount ${tree.dir}`);
  expect(new Set(nices(tree.daemonPid()))).toEqual(new Set([5]));
});
