import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

it('tells the longest name, and how many containers there are, where df and getconf look', async () => {
  await using tree = await mounted();
  expect(await tree.ok('stat -f -c %l .')).toBe('255');
  expect(await tree.ok('getconf NAME_MAX .')).toBe('255');
  expect(await tree.ok('df --output=target . | tail -n 1')).toBe(tree.dir);
  const used = () => tree.ok('df --output=iused . | tail -n 1').then(Number);
  const before = await used();
  await tree.ok('mkdir a a/b c');
  expect((await used()) - before).toBe(3);
});
