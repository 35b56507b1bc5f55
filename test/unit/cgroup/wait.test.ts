import { afterEach, expect, test, vi } from 'vitest';
import { waitUntil } from '../../../src/cgroup/wait.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

test('waitUntil asks once, without letting go, when it is so already', async () => {
  let asked = 0;
  expect(await waitUntil(() => ++asked === 1, 1000)).toBe(true);
  expect(asked).toBe(1);
});

test('waitUntil asks at every turn for the first millisecond', async () => {
  let clock = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  let asked = 0;
  const done = () => {
    asked++;
    clock += 0.125;
    return false;
  };
  expect(await waitUntil(done, 1)).toBe(false);
  expect(asked).toBe(8);
});

test('waitUntil is false only after the limit', async () => {
  const start = performance.now();
  expect(await waitUntil(() => false, 10)).toBe(false);
  expect(performance.now() - start).toBeGreaterThanOrEqual(10);
});

test('waitUntil throws EINTR once the caller gave up, but looks first', async () => {
  const signal = AbortSignal.abort();
  expect(await waitUntil(() => true, 10, signal)).toBe(true);
  await expect(waitUntil(() => false, 10, signal)).rejects.toMatchObject({ errno: 'EINTR' });
});
