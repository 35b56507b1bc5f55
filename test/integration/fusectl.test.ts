import { expect, it } from 'vitest';
import { abortConnection } from '../../mount/device/fusectl.ts';
import { mountsAt } from '../../mount/device/mountpoint.ts';
import { mounted } from '../support/mounted.ts';

it('aborts a connection only while the mount that is meant has its number', async () => {
  await using tree = await mounted();
  const { device = '' } = (await mountsAt(tree.dir)).at(-1) ?? {};
  expect(await abortConnection(device, () => Promise.resolve(false))).toBe(false);
  await tree.ok('mkdir web && rmdir web');
  expect(await abortConnection(device, () => true)).toBe(true);
  expect((await tree.sh('mkdir web')).status).not.toBe(0);
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
});
