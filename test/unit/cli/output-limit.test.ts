import { expect, test } from 'vitest';
import { outputLimitFrom } from '../../../src/cli/output-limit.ts';
import { OUTPUT_LIMIT_BYTES } from '../../../src/container/output-limit.ts';

test('outputLimitFrom takes a number, and K, M and G as powers of 1024', () => {
  expect(outputLimitFrom(undefined)).toBe(OUTPUT_LIMIT_BYTES);
  expect(['0', '5000', '64K', '1M', '2G'].map(outputLimitFrom)).toEqual([0, 5000, 65_536, 1_048_576, 2_147_483_648]);
});

test.each(['', 'M', '-1', '1.5M', '1T', '1 M', '64m', '999999999999G'])('outputLimitFrom refuses %j', (text) => {
  expect(() => outputLimitFrom(text)).toThrow('--output-limit is a number with K, M or G behind it, or 0');
});
