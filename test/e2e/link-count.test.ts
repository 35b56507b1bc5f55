import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

it('counts the containers in a directory by its number of links', async () => {
  await using tree = await mounted();
  const count = () => tree.ok('stat -c %h . web');
  expect(await tree.ok('stat -c %h .')).toBe('2');
  await tree.ok('mkdir web db');
  expect(await count()).toBe('4\n2');
  await tree.ok('mkdir web/a web/b web/b/deeper');
  expect(await count()).toBe('4\n4');
  await tree.ok('mv web/b .');
  expect(await count()).toBe('5\n3');
  await tree.ok('rmdir web/a db');
  expect(await count()).toBe('4\n2');
  expect(await tree.ok('mkdir n1 n2; mv -T n1 n2; stat -c %h .')).toBe('5');
});
