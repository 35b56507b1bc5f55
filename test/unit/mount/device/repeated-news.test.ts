import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RepeatedNews } from '../../../../mount/device/repeated-news.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('what was told is told once more, a while after it was told last', () => {
  const told: string[] = [];
  const news = new RepeatedNews<string>((about) => told.push(`${about} ${Date.now()}`));
  vi.setSystemTime(0);
  news.told('a');
  vi.advanceTimersByTime(60);
  news.told('a');
  news.told('b');
  vi.advanceTimersByTime(10_000);
  expect(told).toEqual(['a 100', 'b 160', 'a 200']);
  expect(vi.getTimerCount()).toBe(0);
});
