import { expect, test } from 'vitest';
import type { Wish } from '../../../src/container/enter.ts';
import { PENDING_LINKS_LIMIT, PENDING_LINKS_PER_UID, PendingLinks } from '../../../src/tree/pending-links.ts';
import { errnoOf } from '../../support/fake-tree.ts';
import { registryOf } from '../../support/registry-of.ts';

const ALICE = 1001;
const ALICES_SUBORDINATE = 100_005;
const BOB = 1002;

/** Links in the `.proxy` of a container, so many of each uid. */
function waiting(...uids: readonly (readonly [uid: number, count: number])[]) {
  const web = registryOf('web').at('web');
  const links = new PendingLinks((uid) => (uid === 0 ? undefined : uid === ALICES_SUBORDINATE ? ALICE : uid));
  let number = 0;
  const wish: Wish = { container: web, by: 'symlink' };
  const put = (uid: number) => links.put(web, `link${number++}`, { wish, text: '/', uid, gid: uid });
  for (const [uid, count] of uids) for (let made = 0; made < count; made++) put(uid);
  return (uid: number) => errnoOf(() => put(uid));
}

test('a user has so many links wait, all his ids together, and others theirs', async () => {
  const put = waiting([ALICE, PENDING_LINKS_PER_UID - 1], [ALICES_SUBORDINATE, 1]);
  expect([await put(ALICE), await put(ALICES_SUBORDINATE), await put(BOB), await put(0)]).toEqual([
    'EDQUOT',
    'EDQUOT',
    'OK',
    'OK',
  ]);
});

test('all users together keep root from none', async () => {
  const users = Array.from({ length: PENDING_LINKS_LIMIT / PENDING_LINKS_PER_UID }, (_, index) => 2000 + index);
  const put = waiting(...users.map((uid) => [uid, PENDING_LINKS_PER_UID] as const));
  expect([await put(BOB), await put(0)]).toEqual(['ENOSPC', 'OK']);
});
