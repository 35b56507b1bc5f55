import { afterEach, expect, test, vi } from 'vitest';
import { Quiet } from '../../../src/container/quiet.ts';

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
