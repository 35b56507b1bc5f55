import { describe, expect, test } from 'vitest';
import { freeName, nameFrom } from '../../../src/discovery/naming.ts';

const ID = 'c0ffee'.repeat(10) + 'abcd';
const CONMON = ['/usr/bin/conmon', '--api-version', '1', '-c', ID, '-n', 'fervent_hopper', ''];

/** A cgroup's path as somebody's makers leave it, what its parent is called like, and the name that comes of it. */
const NAMES: readonly [path: string, command: readonly string[], name: string | undefined][] = [
  [`/system.slice/docker-${ID}.scope`, ['/usr/bin/containerd-shim-runc-v2'], ID.slice(0, 12)],
  [`/docker/${ID}`, [], ID.slice(0, 12)],
  [`/machine.slice/libpod-${ID}.scope/container`, CONMON, 'fervent_hopper'],
  [`/libpod_parent/libpod-${ID}`, ['/usr/bin/other', '-n', 'x'], ID.slice(0, 12)],
  [`/kubepods.slice/crio-${ID}.scope`, [], ID.slice(0, 12)],
  [`/kubepods.slice/cri-containerd-${ID}.scope`, [], ID.slice(0, 12)],
  ['/lxc.payload.web', [], 'web'],
  ['/lxc.payload.web-1', ['[lxc monitor] /var/lib/lxc web'], 'web'],
  ['/machine.slice/machine-debian\\x2dtree.scope/payload', [], 'debian-tree'],
  ['/machine.slice/systemd-nspawn@debian\\x2dtree.service/payload', [], 'debian-tree'],
  ['/user.slice/user-0.slice/session-3.scope', [], 'session-3'],
  ['/system.slice/nginx.service', [], 'nginx'],
  ['/system.slice/foo.scope', [], 'foo'],
  ['/user.slice', [], undefined],
  ['/', [], undefined],
  ['/system.slice/\\x2ehidden.service', [], undefined],
  ['/system.slice/two\\x0alines.service', [], undefined],
];

describe('nameFrom', () => {
  test.each(NAMES)('%s', (path, parentCommand, name) => {
    expect(nameFrom({ cgroup: `0::${path}\n`, makersCgroup: '0::/\n', ancestors: [parentCommand] })).toBe(name);
  });

  test('looks for the monitor of podman behind a runtime that still sets the container up, and takes no other', () => {
    const cgroup = `0::/libpod_parent/libpod-${ID}\n`;
    const runc = ['/usr/sbin/runc', 'create', ID, ''];
    const others = CONMON.map((word) => (word === ID ? ID.replaceAll('c', 'd') : word));
    const named = (...ancestors: string[][]) => nameFrom({ cgroup, makersCgroup: '0::/\n', ancestors });
    expect(named(['runc', 'init', ''], runc, CONMON)).toBe('fervent_hopper');
    expect(named(runc, others, CONMON)).toBe('fervent_hopper');
    expect(named(runc, others)).toBe(ID.slice(0, 12));
  });

  test('does not call by a cgroup what shares it with its maker', () => {
    const cgroup = '0::/system.slice/cron.service\n';
    expect(nameFrom({ cgroup, makersCgroup: cgroup, ancestors: [] })).toBeUndefined();
  });

  test('looks at every hierarchy, as a hybrid layout has them', () => {
    const cgroup = '4:memory:/lxc.payload.db\n1:cpu:/lxc.payload.db\n0::/\n';
    expect(nameFrom({ cgroup, makersCgroup: '4:memory:/\n1:cpu:/\n0::/\n', ancestors: [] })).toBe('db');
  });
});

describe('freeName', () => {
  const taken =
    (...names: string[]) =>
    (name: string) =>
      names.includes(name);

  test('is the name itself, else with the least number from 2 behind it', () => {
    expect(freeName('web', taken())).toBe('web');
    expect(freeName('web', taken('web'))).toBe('web-2');
    expect(freeName('web', taken('web', 'web-2', 'web-4'))).toBe('web-3');
  });

  test('is unnamed with the least number from 1 that is free, for what has no name', () => {
    expect(freeName(undefined, taken())).toBe('unnamed1');
    expect(freeName(undefined, taken('unnamed1', 'unnamed3'))).toBe('unnamed2');
  });
});
