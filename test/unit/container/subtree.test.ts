import { expect, test } from 'vitest';
import { chainOf, subtree } from '../../../src/container/container.ts';
import { registryOf } from '../../support/registry-of.ts';

test('subtree gives a container and all below it, parents first', () => {
  const { registry } = registryOf('a/b/c', 'a/d', 'e');
  expect([...subtree(registry.root)].map(({ name }) => name)).toEqual(['', 'a', 'b', 'c', 'd', 'e']);
});

test('subtree and chainOf take any depth', () => {
  const { registry } = registryOf(Array.from({ length: 20_000 }, () => 'd').join('/'));
  const all = [...subtree(registry.root)];
  expect(all).toHaveLength(20_001);
  expect(chainOf(all.at(-1)!)).toEqual(all.slice(1));
});
