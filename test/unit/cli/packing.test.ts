import { describe, expect, test } from 'vitest';
import { packerFor, unpackerFor } from '../../../src/cli/packing.ts';

describe('packerFor', () => {
  test.each([
    ['web.tar', 'cat'],
    ['web.tar.zst', 'zstd'],
    ['web.tgz', 'gzip'],
    ['web.tbz', 'bzip2'],
    ['web.tar.xz', 'xz'],
  ])('%s is made by %s', (file, program) => {
    expect(packerFor(file)[0]).toBe(program);
  });

  test('says what names there are', () => {
    expect(() => packerFor('web.zip')).toThrow(/\.tar, \.tar\.zst, .* or \.tar\.xz/);
  });
});

test('unpackerFor takes standard input as it is', async () => {
  expect(await unpackerFor('-')).toEqual(['cat']);
});
