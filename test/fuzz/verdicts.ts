import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { pid as checkedPid } from '../../src/ids.ts';
import { linuxKernel } from '../../src/kernel/linux.ts';
import { credentialsOf } from '../../src/proc/credentials.ts';
import { whyNotTrace } from '../../src/proc/tracing-rule.ts';

/** How the rule and the kernel compare. */
export interface Verdicts {
  readonly allowed: number;
  readonly refused: number;
  /** The kernel allows it, the rule does not: safe. */
  readonly stricter: number;
  /** The rule allows it, the kernel does not; each pair described. */
  readonly unsafe: readonly string[];
}

/** Processes at a time; every one of them asks about every other. */
const CROWD = 24;

/** How long one may take to get ready, or to answer. */
const ANSWER_LIMIT_MS = 20_000;

const ALL_CAPS = 0x1ff_ffff_ffffn;
const SYS_PTRACE = 1n << 19n;
const CAPABILITIES = [0n, 0n, SYS_PTRACE, SYS_PTRACE | 1n, ALL_CAPS, ALL_CAPS & ~SYS_PTRACE, 1n, 3n];
const IDS = [0, 0, 1, 1, 2];
/** Who made a user namespace, and what it maps. */
const LEVELS = ['0:0_0_10', '0:0_100_10', '1:0_1_1', '1:0_0_10', '2:0_2_1', '0:0_1_3'];

/** Compares at least `pairs` ordered pairs. Needs root and a C compiler. */
export async function verdicts(pairs: number, onProgress: (done: number) => void = () => undefined): Promise<Verdicts> {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'nsdir-oracle-'));
  try {
    const binary = path.join(directory, 'oracle');
    const source = new URL('oracle.c', import.meta.url).pathname;
    await execa('cc', ['-O1', '-static', '-o', binary, source]);
    fs.chmodSync(directory, 0o755);
    const counts = { allowed: 0, refused: 0, stricter: 0 };
    const unsafe: string[] = [];
    for (let done = 0; done < pairs;) {
      const crowd = await gather(binary);
      try {
        done += await compare(crowd, counts, unsafe);
      } finally {
        for (const { child } of crowd) child.kill('SIGKILL');
      }
      onProgress(done);
    }
    return { ...counts, unsafe };
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

interface Subject {
  readonly child: ChildProcess;
  readonly description: string;
  ask(line: string): Promise<string>;
}

async function compare(
  crowd: readonly Subject[],
  counts: { allowed: number; refused: number; stricter: number },
  unsafe: string[],
): Promise<number> {
  const asked = { files: fs, kernel: linuxKernel() };
  let compared = 0;
  for (const caller of crowd) {
    for (const target of crowd) {
      const [callerPid, targetPid] = [caller, target].map(({ child }) => checkedPid(child.pid ?? 0));
      if (callerPid === undefined || targetPid === undefined || caller === target) continue;
      const credentials = credentialsOf(asked, callerPid);
      const rule = credentials !== undefined && whyNotTrace(asked, credentials, targetPid) === undefined;
      const kernel = (await caller.ask(String(targetPid))) === '1';
      compared += 1;
      if (rule && kernel) counts.allowed += 1;
      else if (!rule && !kernel) counts.refused += 1;
      else if (kernel) counts.stricter += 1;
      else unsafe.push(`${caller.description} -> ${target.description}`);
    }
  }
  return compared;
}

/** Some of the random descriptions are of what cannot be: ids that are not mapped. Those do not come. */
async function gather(binary: string): Promise<Subject[]> {
  const asked = Array.from({ length: CROWD }, () => subject(binary));
  const settled = await Promise.allSettled(asked);
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

async function subject(binary: string): Promise<Subject> {
  const argv = describe();
  const child = spawn(binary, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => {
        reject(new Error(`no answer of ${argv.join(' ')}`));
      }, ANSWER_LIMIT_MS).unref();
    });
    const { value } = (await Promise.race([lines.next(), late])) as { value: unknown };
    return String(value);
  };
  const greeting = await next();
  if (greeting !== 'ready') {
    child.kill('SIGKILL');
    throw new Error(greeting);
  }
  const ask = async (line: string) => {
    child.stdin.write(`${line}\n`);
    return await next();
  };
  return { child, description: argv.join(' '), ask };
}

function describe(): string[] {
  const depth = pick([0, 0, 0, 1, 1, 2]);
  const levels = depth === 0 ? '-' : [pick(LEVELS), ...(depth === 2 ? ['0:0_0_1'] : [])].join(',');
  const alike = Math.random() < 0.6;
  const id = pick(IDS);
  const ids = Array.from({ length: 6 }, (_, index) => (alike && index < 6 ? id : pick(IDS)));
  const [permitted, effective] = [pick(CAPABILITIES), pick(CAPABILITIES)];
  const flags = [pick([0, 1]), ...ids, permitted.toString(16), effective.toString(16), pick([0, 1, 1, 1])];
  return [levels, ...flags.map(String)];
}

function pick<T>(choices: readonly T[]): T {
  const chosen = choices[Math.floor(Math.random() * choices.length)];
  if (chosen === undefined) throw new Error('nothing to choose from');
  return chosen;
}
