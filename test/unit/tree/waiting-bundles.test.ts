import { expect, test } from 'vitest';
import type { Request } from '../../../src/tree/filesystem.ts';
import { WaitingBundles } from '../../../src/tree/waiting-bundles.ts';
import { registryOf } from '../../support/registry-of.ts';

const ALICE = 1001;
const ALICES_SUBORDINATE = 100_005;
const LIMIT = 128;

/** Links in one container, each under a name of its own. */
function waiting() {
  const web = registryOf('web').at('web');
  const links = new WaitingBundles((uid) => (uid === 0 ? undefined : uid === ALICES_SUBORDINATE ? ALICE : uid));
  const nameOf = (number: number) => `Cu${String(number).padStart(6, '0')}`;
  return {
    make: (uid: number, number: number) =>
      links.make({ caller: { uid, gid: uid } } as Request, web, nameOf(number), `/srv/${number}`),
    text: (number: number) => links.named(web, nameOf(number)),
  };
}

test('with one too many, the oldest of who has the most is forgotten, all his ids together, and nobody else’s', () => {
  const { make, text } = waiting();
  make(0, 0);
  for (let number = 1; number < LIMIT + 5; number++) make(number % 2 ? ALICE : ALICES_SUBORDINATE, number);
  expect(text(0)).toBe('/srv/0');
  expect([1, 2, 3, 4, 5].map(text)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(text(6)).toBe('/srv/6');
  expect(text(LIMIT + 4)).toBe(`/srv/${LIMIT + 4}`);
});

test('no two that wait have one id', () => {
  const { make, text } = waiting();
  make(0, 0);
  const ids = Array.from({ length: LIMIT * 3 }, (_, index) => make(ALICE, index + 1).attr.id);
  expect(new Set(ids.slice(-(LIMIT - 1))).size).toBe(LIMIT - 1);
  expect(text(0)).toBe('/srv/0');
});
