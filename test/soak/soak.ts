import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { errnoName } from '../../src/errno.ts';
import { runFiles } from '../../src/instance.ts';
import { mounted, type Mounted } from '../support/mounted.ts';
import { signal } from '../support/pinned.ts';
import { counts, faults, lives, target, TARGET_KINDS, type Target } from './targets.ts';

export interface SoakOptions {
  /** How many enters, each into a deeper container. */
  readonly enters: number;
  /** SIGKILL to the daemon while enters are under way. */
  readonly killDaemon?: boolean;
  /** SIGKILL to some targets while they enter. */
  readonly killTargets?: boolean;
}

export interface SoakResult {
  readonly entered: number;
  /** Enters that failed, by errno; of targets that were killed these are none. */
  readonly refused: Readonly<Record<string, number>>;
  /** What the containers then said of that. */
  readonly reasons: readonly string[];
  readonly targets: number;
  /** Killed by us on purpose. */
  readonly killed: number;
  /** Targets that died of nothing we did. */
  readonly lost: readonly string[];
  readonly faults: readonly string[];
  readonly daemonKills: number;
  /** Microseconds of the link calls that succeeded, ascending. */
  readonly us: readonly number[];
}

/** Nested containers; the kernel allows 32 levels of pid namespaces. */
const DEPTH = 20;
const SIGRTMIN = 34;
const ANSWER_LIMIT_MS = 30_000;

/** Has crowds of targets of all kinds go down a chain of nested containers, with signals in between, and looks at them. */
export async function soak({ enters, killDaemon = false, killTargets = false }: SoakOptions): Promise<SoakResult> {
  await using tree = await mounted();
  const directory = mkdtempSync('/var/tmp/nsdir-soak-');
  const chain = Array.from({ length: DEPTH }, (_, level) =>
    Array.from({ length: level + 1 }, (_, at) => `l${at}`).join('/'),
  );
  const result = {
    entered: 0,
    refused: {} as Record<string, number>,
    reasons: [] as string[],
    targets: 0,
    killed: 0,
    lost: [] as string[],
    faults: [] as string[],
    daemonKills: 0,
    doomed: new Set<number>(),
    us: [] as number[],
  };
  const targets: Target[] = [];
  try {
    await execa('cc', ['-O1', '-o', path.join(directory, 'target'), new URL('target.c', import.meta.url).pathname]);
    for (const name of chain) await tree.ok(`mkdir ${name}; echo running > ${name}/.state`);
    const linker = link(tree);
    for (let number = 0; result.entered + Object.values(result.refused).reduce((a, b) => a + b, 0) < enters; number++) {
      const one = await target(TARGET_KINDS[number % TARGET_KINDS.length] ?? 'sleep', directory, number);
      targets.push(one);
      result.targets += 1;
      await descend(tree, one, chain, linker, { killDaemon, killTargets }, result);
      if (result.doomed.has(one.pid)) continue;
      if (lives(one)) result.faults.push(...(await faults(one)));
      else result.lost.push(`${one.kind} ${one.child.signalCode ?? one.child.exitCode}`);
      one.child.kill('SIGKILL');
    }
    linker.end();
  } finally {
    for (const { child } of targets) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
  result.us.sort((a, b) => a - b);
  return result;
}

type Tally = {
  doomed: Set<number>;
  entered: number;
  refused: Record<string, number>;
  reasons: string[];
  killed: number;
  daemonKills: number;
  us: number[];
};

async function descend(
  tree: Mounted,
  one: Target,
  chain: readonly string[],
  linker: ReturnType<typeof link>,
  { killDaemon, killTargets }: { killDaemon: boolean; killTargets: boolean },
  result: Tally,
): Promise<void> {
  const doomed = killTargets && Math.random() < 0.2 ? Math.floor(Math.random() * chain.length) : -1;
  for (const [level, name] of chain.entries()) {
    const answered = linker.enter(one.pid, name);
    const [, restart] = await Promise.all([
      disturb(one, level === doomed),
      killDaemon && level % 4 === 1 ? murder(tree) : undefined,
    ]);
    if (killDaemon && level % 4 === 1) result.daemonKills += restart ?? 0;
    const { errno, us } = await answered;
    if (level === doomed) {
      result.killed += 1;
      result.doomed.add(one.pid);
      return;
    }
    if (errno === 0) {
      result.entered += 1;
      result.us.push(us);
    } else {
      const why = errnoName(errno);
      result.refused[why] = (result.refused[why] ?? 0) + 1;
      result.reasons.push(
        (await tree.sh(`cat ${name}/.error; tail -n 20 ${runFiles(tree.instance).daemonLog}`)).stdout,
      );
    }
    if (!lives(one)) return;
  }
}

/** A random moment within the enter, and STOP and CONT, real-time signals, or the end. */
async function disturb(one: Target, kill: boolean): Promise<void> {
  const until = performance.now() + Math.random() * 2;
  while (performance.now() < until) await sleep(0);
  if (kill) {
    one.child.kill('SIGKILL');
    return;
  }
  if (Math.random() < 0.3) {
    one.child.kill('SIGSTOP');
    await sleep(Math.random() * 2);
    one.child.kill('SIGCONT');
  }
  if (!counts(one)) return;
  for (let count = Math.floor(Math.random() * 4); count > 0; count--) {
    signal(one.pinned, SIGRTMIN + 1);
    one.sent += 1;
  }
}

async function murder(tree: Mounted): Promise<number> {
  const until = performance.now() + Math.random() * 3;
  while (performance.now() < until) await sleep(0);
  await tree.killDaemon();
  return 1;
}

function link(tree: Mounted) {
  const script = new URL('linker.py', import.meta.url).pathname;
  const child = spawn('python3', [script, tree.dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async enter(pid: number, name: string): Promise<{ errno: number; us: number }> {
      child.stdin.write(`${pid} ${name}\n`);
      const late = sleep(ANSWER_LIMIT_MS, undefined, { ref: false }).then(() => {
        throw new Error(`no answer to an enter of ${pid} into ${name}`);
      });
      const { value } = (await Promise.race([lines.next(), late])) as { value: unknown };
      const [errno = 0, us = 0] = String(value).split(' ').map(Number);
      return { errno, us };
    },
    end: () => child.kill('SIGKILL'),
  };
}
