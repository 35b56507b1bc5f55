import { Volume } from 'memfs';
import { describe, expect, test } from 'vitest';
import { directoryOf, findHierarchy, pathInHierarchy } from '../../../src/cgroup/hierarchy.ts';
import type { FileAccess } from '../../../src/files.ts';

const UNIFIED = '35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const HYBRID =
  '32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n' +
  '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n';

function machine(mountinfo: string, files: Record<string, string>): FileAccess {
  return Volume.fromJSON({ '/proc/self/mountinfo': mountinfo, ...files }) as unknown as FileAccess;
}

describe('findHierarchy', () => {
  test('unified: the controllers, and the knobs of a cgroup that is there', () => {
    const files = machine(UNIFIED, {
      '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
      '/sys/fs/cgroup/init.scope/cgroup.freeze': '0\n',
    });
    expect(findHierarchy(files)).toEqual({
      mountPoint: '/sys/fs/cgroup',
      root: '/',
      layout: 'unified',
      controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'],
      canKill: false,
      canFreeze: true,
    });
  });

  test('hybrid: no controllers; without any cgroup the version of the kernel tells the knobs', () => {
    const files = (release: string) =>
      machine(HYBRID, {
        '/sys/fs/cgroup/unified/cgroup.controllers': '\n',
        '/proc/sys/kernel/osrelease': release,
      });
    expect(findHierarchy(files('6.1.0-28-amd64\n'))).toMatchObject({
      mountPoint: '/sys/fs/cgroup/unified',
      layout: 'hybrid',
      controllers: [],
      canKill: true,
      canFreeze: true,
    });
    expect(findHierarchy(files('5.10.0\n'))).toMatchObject({ canKill: false, canFreeze: true });
    expect(findHierarchy(files('4.19.0\n'))).toMatchObject({ canKill: false, canFreeze: false });
  });

  test('prefers the whole hierarchy to a bind mount of a part', () => {
    const bound = '50 24 0:30 /lxc /mnt/part rw - cgroup2 cgroup2 rw\n';
    const files = machine(bound + UNIFIED, { '/sys/fs/cgroup/cgroup.controllers': '' });
    expect(findHierarchy(files).mountPoint).toBe('/sys/fs/cgroup');
  });

  test.each([
    ['none', ''],
    ['only v1', '32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n'],
    ['read-only', UNIFIED.replace('rw,nosuid', 'ro,nosuid')],
  ])('ENOTSUP, with what to do: %s', (_, mountinfo) => {
    expect(() => findHierarchy(machine(mountinfo, {}))).toThrow(
      expect.objectContaining({ errno: 'ENOTSUP', message: expect.stringContaining('mount -t cgroup2') as string }),
    );
  });
});

describe('pathInHierarchy and directoryOf', () => {
  const whole = { mountPoint: '/sys/fs/cgroup', root: '/' } as ReturnType<typeof findHierarchy>;
  const part = { ...whole, root: '/lxc/a' };

  test('are inverses', () => {
    expect(pathInHierarchy(whole, '/sys/fs/cgroup/nsdir-x/3')).toBe('/nsdir-x/3');
    expect(pathInHierarchy(part, '/sys/fs/cgroup/nsdir-x')).toBe('/lxc/a/nsdir-x');
    expect(directoryOf(part, '/lxc/a/nsdir-x')).toBe('/sys/fs/cgroup/nsdir-x');
    expect(directoryOf(whole, '/')).toBe('/sys/fs/cgroup');
  });

  test('directoryOf is undefined for what the mount does not show', () => {
    expect(directoryOf(part, '/lxc/b')).toBeUndefined();
  });
});
