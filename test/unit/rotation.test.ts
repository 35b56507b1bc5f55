import { expect, test } from 'vitest';
import { Rotation } from '../../src/rotation.ts';

test('Rotation.next gives all in turns, those that came meanwhile too, and begins again', () => {
  const things = new Set(['a', 'b', 'c']);
  const rotation = new Rotation(() => things.values());
  expect(rotation.next(2)).toEqual(['a', 'b']);
  things.delete('c');
  things.add('d');
  expect(rotation.next(2)).toEqual(['d']);
  expect(rotation.next(5)).toEqual(['a', 'b', 'd']);
  expect(new Rotation(() => [][Symbol.iterator]()).next(3)).toEqual([]);
});
