import { afterEach, expect, test, vi } from 'vitest';
import { Quiet, quietRoundMs } from '../../../src/container/quiet.ts';

afterEach(() => {
  vi.useRealTimers();
});

const NOTHING = () => undefined;

test.each<[string, number, (quiet: Quiet) => void]>([
  ['its time is over', 200, NOTHING],
  [
    'something happens',
    50,
    (quiet) => {
      quiet.end();
    },
  ],
])('lasts until %s', async (_, afterMs, happen) => {
  vi.useFakeTimers();
  const quiet = new Quiet();
  quiet.end();
  let isOver = false;
  const lasting = quiet.last(200).then(() => {
    isOver = true;
  });
  await vi.advanceTimersByTimeAsync(afterMs - 1);
  expect(isOver).toBe(false);
  happen(quiet);
  await vi.advanceTimersByTimeAsync(1);
  expect(isOver).toBe(true);
  await lasting;
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  [40, 200, 10],
  [800, 200, 200],
  [2_000, 500, 500],
  [16_000, 1_000, 1_000],
])('of a turn of %i ms a round takes at most %i ms, while some are young %i', (turnMs, ms, whileYoungMs) => {
  expect([quietRoundMs(turnMs, true), quietRoundMs(turnMs, false)]).toEqual([ms, whileYoungMs]);
});
