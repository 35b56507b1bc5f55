import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/command.ts';
import { containerDirectory } from '../../../src/cli/container-client.ts';
import { isForeground } from '../../../src/cli/forward-signals.ts';

describe('containerDirectory', () => {
  test.each([
    ['web', '/namespaces/web'],
    ['web/job', '/namespaces/web/job'],
    ['web/job/', '/namespaces/web/job'],
    ['web//job', '/namespaces/web/job'],
    ['./web', '/namespaces/web'],
    ['./-dash', '/namespaces/-dash'],
    ['/namespaces//web', '/namespaces/web'],
    ['/namespaces/web', '/namespaces/web'],
  ])('of %s is %s', (word, directory) => {
    expect(containerDirectory('/namespaces', word)).toBe(directory);
  });

  test.each(['', '/', '.', '..', 'web/../../etc', '/etc', '.state', 'web/./job', 'a\nb', 'n'.repeat(256)])(
    'refuses %j',
    (word) => {
      expect(() => containerDirectory('/namespaces', word)).toThrow(UsageError);
    },
  );
});

test('containerDirectory says of a path elsewhere where it should be', () => {
  expect(() => containerDirectory('/namespaces', '/etc')).toThrow('"/etc" is not below /namespaces');
});

describe('isForeground', () => {
  test('compares the process group with that of the terminal, whatever the name of the command', () => {
    expect(isForeground('10 (a) b) S 1 10 10 34816 10 4194560 1')).toBe(true);
    expect(isForeground('10 (node) S 1 10 10 34816 99 4194560 1')).toBe(false);
    expect(isForeground('10 (node) S 1 10 10 0 -1 4194560 1')).toBe(false);
  });
});
