import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Pid } from '../../src/ids.ts';
import { readStat } from '../../src/proc/process.ts';
import { scratch } from './containers.ts';
import { eventually, isAlive, type Mounted } from './mounted.ts';

const PROGRAM = fileURLToPath(new URL('random-tree.py', import.meta.url));

/** How many sets that have processes are shown, and how many of those below the right parent. */
export interface Score {
  readonly sets: number;
  readonly right: number;
  readonly wrong: readonly string[];
}

/** Grows a tree of processes from the seed, looks at what is shown of it, and ends it. */
export async function scoreOf(tree: Mounted, seed: number): Promise<Score> {
  using place = scratch();
  const child = spawn('python3', [PROGRAM, String(seed), place.at('truth')], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(createInterface({ input: child.stdout }), 'line');
    let truth = readTruth(place.at('truth'));
    let places = new Map<number, string>();
    const unshown = () => [...truth.living].filter(([set, pid]) => set !== '0' && !places.has(pid));
    await eventually(
      async () => {
        // Read again: who was leaving when the last one settled may have been alive still.
        truth = readTruth(place.at('truth'));
        places = await placesOf(tree);
        return unshown().length === 0;
      },
      () =>
        `every set that lives is shown, not so: ${unshown()
          .map(([set, pid]) => `${set} with ${pid}`)
          .join(', ')}`,
    );
    return judge(truth, places);
  } finally {
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  }
}

interface Truth {
  /** Of each set, the one it was made in. */
  readonly parents: ReadonlyMap<string, string>;
  /** A living process of each set that has one. */
  readonly living: ReadonlyMap<string, number>;
}

function readTruth(file: string): Truth {
  const parents = new Map<string, string>();
  const latest = new Map<number, { readonly start: string; readonly set: string }>();
  for (const line of fs.readFileSync(file, 'utf8').trim().split('\n')) {
    const [pid = '', start = '', set = '', parent = ''] = line.split(' ');
    if (parent !== '-') parents.set(set, parent);
    latest.set(Number(pid), { start, set });
  }
  const living = new Map<string, number>();
  // Pids are given again: another process may have one of these.
  for (const [pid, { start, set }] of latest)
    if (isAlive(pid) && String(readStat(fs, pid as Pid)?.starttime) === start) living.set(set, pid);
  return { parents, living };
}

/** The container of every process that is in one, '' for the machine itself. */
async function placesOf(tree: Mounted): Promise<Map<number, string>> {
  const text = await tree.ok(`find . -mindepth 2 -name .procs -exec grep -H . {} + 2>/dev/null || :`);
  const lines = text.split('\n').filter(Boolean);
  return new Map(
    lines.map((line): [number, string] => {
      const [file = '', pid] = line.split(':');
      return [Number(pid), path.dirname(file)];
    }),
  );
}

/** A set is right if the nearest container above it that has processes is the nearest set above it that has. */
function judge({ parents, living }: Truth, places: ReadonlyMap<number, string>): Score {
  const populated = new Set(places.values());
  const wrong: string[] = [];
  const sets = [...living].filter(([set]) => set !== '0');
  for (const [set, pid] of sets) {
    let maker = parents.get(set) ?? '0';
    while (maker !== '0' && !living.has(maker)) maker = parents.get(maker) ?? '0';
    const expected = maker === '0' ? '.' : places.get(living.get(maker) ?? 0);
    let above = path.dirname(places.get(pid) ?? '');
    while (above !== '.' && !populated.has(above)) above = path.dirname(above);
    if (above !== expected) wrong.push(`${places.get(pid) ?? ''} of ${set}: below ${above}, not ${String(expected)}`);
  }
  return { sets: sets.length, right: sets.length - wrong.length, wrong };
}
