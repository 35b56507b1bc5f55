import { expect, it } from 'vitest';
import { verdicts } from '../fuzz/verdicts.ts';

it('allows nobody what the kernel would not, whatever the credentials of the two', async () => {
  const { allowed, refused, stricter, unsafe } = await verdicts(4_000);
  expect(unsafe).toEqual([]);
  // A rule that refuses everything would be safe as well.
  expect(allowed).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
  expect(stricter).toBeLessThan(allowed);
});
