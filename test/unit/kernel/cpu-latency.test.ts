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
  latency.begin(one);
  expect(asked).toEqual([AT_ONCE, AS_ELSE, AT_ONCE]);
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
  latency.begin(next);
  latency.end(next);
  expect(asked).toEqual([AT_ONCE, AS_ELSE, AT_ONCE, AS_ELSE]);
  expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
  vi.advanceTimersByTime(1000);
  expect([vi.getTimerCount(), asked.length]).toEqual([0, 4]);
});
