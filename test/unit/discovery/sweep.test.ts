import { describe, expect, test } from 'vitest';
import { keyOf } from '../../../src/discovery/key.ts';
import { Sets, type Member } from '../../../src/discovery/sets.ts';
import { GLANCED_PER_ROUND, Sweep, SWEPT_PER_ROUND } from '../../../src/discovery/sweep.ts';
import { ROOT_SERIAL, type Pid } from '../../../src/ids.ts';

/** Processes with the pids 1 to `count` that have all been looked at. */
function looked(count: number) {
  const key = keyOf(['1'], { pid: 1, startTime: 1 });
  const sets = new Sets(key, ROOT_SERIAL);
  const times = new Map<number, number>();
  for (let pid = 1; pid <= count; pid++) {
    const seen = { pid: pid as Pid, startTime: 1, ppid: 0 as Pid, cgroup: '' };
    sets.place(seen, key, { origin: undefined, orphan: false }, 0);
    times.set(pid, pid);
  }
  const sweep = new Sweep(
    () => sets.members(),
    (pid) => times.get(pid),
  );
  const next = (rounds = 1) => sweep.next(rounds).map(({ pid }: Member) => pid);
  for (let round = 0; round < count; round++) next();
  return { times, next };
}

describe('Sweep', () => {
  test('names who ran, and whoever stood still again only when he runs', () => {
    const { times, next } = looked(20);
    expect(next()).toEqual([]);
    times.set(7, 1_000);
    times.set(9, 1_000);
    expect([next(), next()]).toEqual([[7, 9], []]);
  });

  test('finds one of many in as many rounds as a turn has', () => {
    const { times, next } = looked(4 * SWEPT_PER_ROUND);
    times.set(3, 0);
    const found = Array.from({ length: 5 }, () => next()).flat();
    expect(found).toEqual([3]);
    times.set(4, 0);
    expect([...next(5), ...next(5)]).toEqual([4]);
  });

  test('names all of those who run all the time, some in each round', () => {
    const { times, next } = looked(20);
    const named = new Set<number>();
    for (let round = 0; round < 4; round++) {
      for (const [pid, time] of times) times.set(pid, time + 1);
      const some = next();
      expect(some.length).toBeLessThanOrEqual(GLANCED_PER_ROUND);
      for (const pid of some) named.add(pid);
    }
    expect(named.size).toBe(20);
  });

  test('names everybody in turns where nobody tells how long they ran', () => {
    const { times, next } = looked(GLANCED_PER_ROUND);
    times.clear();
    expect([next().length, next().length, next().length]).toEqual([GLANCED_PER_ROUND, 0, GLANCED_PER_ROUND]);
  });
});
