import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CpuLatency } from '../../../src/kernel/cpu-latency.ts';

const [AT_ONCE, AS_ELSE] = [0, -1];

let asked: number[] = [];
let latency: CpuLatency;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  latency = new CpuLatency((us) => {
    asked.push(us);
  });
});

afterEach(() => {
  vi.useRealTimers();
});

test('asks once for all that is at work together', () => {
  const [one, other] = [{}, {}];
  latency.begin(one);
  latency.begin(other);
  latency.end(one);
  expect(asked).toEqual([AT_ONCE]);
  latency.end(other);
  latency.end(other);
  expect(asked).toEqual([AT_ONCE, AS_ELSE]);
});

test('asks once for what comes in a row, and for a little after it', () => {
  for (let count = 0; count < 10; count++) {
    const work = {};
    latency.begin(work);
    vi.advanceTimersByTime(3);
    latency.end(work);
    vi.advanceTimersByTime(3);
  }
  // The first does not know yet that others follow.
  expect(asked).toEqual([AT_ONCE, AS_ELSE, AT_ONCE]);
  vi.advanceTimersByTime(2);
  expect(asked).toEqual([AT_ONCE, AS_ELSE, AT_ONCE, AS_ELSE]);
  vi.advanceTimersByTime(5);
  const alone = {};
  latency.begin(alone);
  latency.end(alone);
  expect(asked.slice(4)).toEqual([AT_ONCE, AS_ELSE]);
});

test('lets processors sleep when nothing has begun for a while, though it is not done', () => {
  const [reader, stuck, next] = [{}, {}, {}];
  latency.begin(reader);
  vi.advanceTimersByTime(15);
  latency.begin(stuck);
  vi.advanceTimersByTime(15);
  expect(asked).toEqual([AT_ONCE]);
  vi.advanceTimersByTime(10);
  expect(asked).toEqual([AT_ONCE, AS_ELSE]);
  latency.end(stuck);
  expect(asked).toEqual([AT_ONCE, AS_ELSE]);
  vi.advanceTimersByTime(10);
  latency.begin(next);
  latency.end(next);
  expect(asked).toEqual([AT_ONCE, AS_ELSE, AT_ONCE, AS_ELSE]);
  vi.advanceTimersByTime(1000);
  expect([vi.getTimerCount(), asked.length]).toEqual([0, 4]);
});
