import { expect, it } from 'vitest';
import { withCopies } from '../../../src/checkpoint/copies.ts';

it('withCopies names copies of what is the machine’s to criu, and leaves alone what is bound alone', () => {
  const mounts = [
    { mountPoint: '/namespaces', key: 'tree', source: '/run/tree' },
    { mountPoint: '/dev/.nsdir/nsdir-init', key: 'program', source: '/var/lib/nsdir/x/nsdir-init-1' },
    { mountPoint: '/sys/fs/cgroup', key: 'cgroup', source: '/run/cgroup' },
    { mountPoint: '/sys', key: 'disk0', source: '/sys' },
    { mountPoint: '/mnt/a b', key: 'disk1', source: '/mnt/a b' },
  ];
  const [shell, option, script, name, ...words] = withCopies(mounts, (found) => [
    '/usr/sbin/criu',
    ...found.map(({ key, source }) => `${key}:${source}`),
  ]);
  expect([shell, option, name]).toEqual(['/bin/sh', '-c', 'sh']);
  // The launcher takes a word a line.
  expect(script).not.toContain('\n');
  expect(words).toEqual([
    ...['/var/lib/nsdir/x/nsdir-init-1', '/sys', '/mnt/a b', '--', '/usr/sbin/criu'],
    ...['tree:/run/tree', 'program:/run/copy0', 'cgroup:/run/cgroup', 'disk0:/run/copy1', 'disk1:/run/copy2'],
  ]);
});
