import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/container/change.ts';
import type { Pid, Serial } from '../../../src/ids.ts';
import { registryOf } from '../../support/registry-of.ts';

const serial = 1 as Serial;
const at = { sec: 5, nsec: 3_000_000 };
const init = { pid: 2 as Pid, startTime: 1 };

const CHANGES: Change[] = [
  { op: 'start', serial, init, kinds: [], at },
  { op: 'phase', serial, phase: 'stopped', at },
  { op: 'exit', serial, status: 1, at },
  { op: 'error', serial, text: 'EBUSY', at },
  { op: 'want', serial, kinds: ['net'] },
  { op: 'reveal', serial },
  { op: 'checkpoint', serial, is: 'held' },
  { op: 'pin', serial, init, key: 'k', mark: 'm', at },
  { op: 'unshown', serial, count: 3 },
];

describe('Registry.apply', () => {
  test.each(CHANGES)(
    '$op moves the mtime of the directory, in which names may have come or gone, and not its ctime',
    (change) => {
      const { registry, at: find } = registryOf('web');
      const { mtime, ctime } = find('web');
      registry.apply(change);
      expect(find('web').mtime).not.toEqual(mtime);
      expect(find('web').ctime).toEqual(ctime);
    },
  );

  test('gives the directory an mtime it never had before, also within a millisecond', () => {
    const { registry, at: find } = registryOf('web');
    const times = new Set<string>();
    for (const change of [...CHANGES, ...CHANGES]) {
      registry.apply(change);
      times.add(JSON.stringify(find('web').mtime));
    }
    expect(times.size).toBe(2 * CHANGES.length);
  });

  test('follows the clock where somebody had set the time to come', () => {
    const { registry, at: find } = registryOf('web');
    registry.apply({ op: 'attr', serial, mtime: { sec: 4_000_000_000, nsec: 0 }, at });
    registry.apply({ op: 'phase', serial, phase: 'stopped', at });
    expect(find('web').mtime).toEqual(at);
  });

  test('attr sets the times that were asked for', () => {
    const { registry, at: find } = registryOf('web');
    registry.apply({ op: 'attr', serial, mtime: { sec: 1, nsec: 0 }, at });
    expect([find('web').mtime, find('web').ctime]).toEqual([{ sec: 1, nsec: 0 }, at]);
  });
});
