import { expect, test } from 'vitest';
import { userLimitsFrom } from '../../../src/cli/user-limits.ts';
import { USER_LIMITS } from '../../../src/container/user-limits.ts';

test('userLimitsFrom takes what is named, and leaves the rest', () => {
  expect(userLimitsFrom(undefined)).toEqual(USER_LIMITS);
  expect(userLimitsFrom('depth=3,events=9')).toEqual({ ...USER_LIMITS, depth: 3, events: 9 });
});

test.each(['', 'depth', 'depth=', 'depth=0', 'depth=-1', 'depth=1e3', 'cpu=1', 'depth=3,', 'depth=9999999999'])(
  'userLimitsFrom refuses %j, and says what there is',
  (text) => {
    expect(() => userLimitsFrom(text)).toThrow(
      '--user-limits is a list of containers=N, depth=N, processes=N, events=N, files=N',
    );
  },
);
