import { expect, test } from 'vitest';
import { GivenListings } from '../../../../mount/device/given-listings.ts';
import { registryOf } from '../../../support/registry-of.ts';

const { at } = registryOf('web/job');
const web = at('web');

test('a listing is old at each entering while it may be on its way to the kernel, then once', () => {
  const listings = new GivenListings();
  expect(listings.isKept(web, 0)).toBe(false);
  listings.given(web, 0);
  expect(listings.isKept(at('web/job'), 1)).toBe(false);
  expect([1, 10_000, 10_001, 10_002].map((nowMs) => listings.isKept(web, nowMs))).toEqual([true, true, true, false]);
});

test('one that is given anew is old anew', () => {
  const listings = new GivenListings();
  listings.given(web, 0);
  expect([20_000, 20_001].map((nowMs) => listings.isKept(web, nowMs))).toEqual([true, false]);
  listings.given(web, 20_002);
  expect(listings.isKept(web, 20_003)).toBe(true);
});
