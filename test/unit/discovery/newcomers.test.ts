import { expect, test } from 'vitest';
import { Newcomers, WAITING_PIDS_LIMIT, YOUNG_MS } from '../../../src/discovery/newcomers.ts';
import type { Pid } from '../../../src/ids.ts';

const [ONE, TWO, THREE] = [1, 2, 3] as [Pid, Pid, Pid];

test('new pids are due once they are old enough, the first ones first, and once only', () => {
  const newcomers = new Newcomers();
  expect(newcomers.nextDueMs).toBe(Infinity);
  newcomers.add(TWO, 100);
  newcomers.add(ONE, 101);
  newcomers.add(THREE, 102);
  expect(newcomers.nextDueMs).toBe(100 + YOUNG_MS);
  expect(newcomers.take(99 + YOUNG_MS, 10)).toEqual([]);
  expect(newcomers.take(101 + YOUNG_MS, 10)).toEqual([TWO, ONE]);
  expect(newcomers.take(102 + YOUNG_MS, 10)).toEqual([THREE]);
  expect(newcomers.nextDueMs).toBe(Infinity);
});

test('no more are taken at once than there is room for; the others stay due', () => {
  const newcomers = new Newcomers();
  for (const pid of [ONE, TWO, THREE]) newcomers.add(pid, 0);
  expect([newcomers.take(YOUNG_MS, 2), newcomers.take(YOUNG_MS, 2)]).toEqual([[ONE, TWO], [THREE]]);
});

test('a pid that is given again waits anew, behind the others; one whose process ended waits no more', () => {
  const newcomers = new Newcomers();
  newcomers.add(ONE, 0);
  newcomers.add(TWO, 1);
  newcomers.add(ONE, 2);
  expect(newcomers.take(1 + YOUNG_MS, 10)).toEqual([TWO]);
  newcomers.delete(ONE);
  expect(newcomers.takeAll()).toEqual([]);
});

test('of more than may wait none is kept; a list of all is wanted once, when half of them are through', () => {
  const newcomers = new Newcomers();
  for (let pid = 1; pid <= WAITING_PIDS_LIMIT; pid++) newcomers.add(pid as Pid, 0);
  expect([newcomers.isOverrun, newcomers.wantsList()]).toEqual([false, false]);
  newcomers.add((WAITING_PIDS_LIMIT + 1) as Pid, 0);
  expect([newcomers.isOverrun, newcomers.wantsList()]).toEqual([true, false]);
  expect(newcomers.take(YOUNG_MS, WAITING_PIDS_LIMIT / 2 + 1)).toHaveLength(WAITING_PIDS_LIMIT / 2 + 1);
  expect([newcomers.wantsList(), newcomers.isOverrun, newcomers.wantsList()]).toEqual([true, false, false]);
});
