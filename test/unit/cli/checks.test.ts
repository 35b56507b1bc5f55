import { Volume } from 'memfs';
import { describe, expect, test } from 'vitest';
import { type Machine, runChecks } from '../../../src/cli/checks/check.ts';
import { enteringOn } from '../../../src/cli/checks/entering.ts';
import { privateMachine } from '../../../src/cli/checks/without-root.ts';
import { FsError } from '../../../src/errno.ts';
import type { FileAccess } from '../../../src/files.ts';
import { instanceFor } from '../../../src/instance.ts';
import { FILES, findings, lacking, mounted, type Changes } from '../../support/findings.ts';

describe('CHECKS', () => {
  test('find nothing to complain of on a machine that has everything', async () => {
    expect(lacking(await findings())).toEqual([]);
  });

  test.each<{ what: string; changes: Changes; name: string; problem: RegExp; remedy: RegExp }>([
    {
      what: 'an old node',
      changes: { machine: { nodeVersion: 'v20.14.9' } },
      name: 'node',
      problem: /20\.15/,
      remedy: /npm install/,
    },
    {
      what: 'no capabilities',
      changes: { files: { '/proc/self/status': 'CapEff:\t0000000000000000\n' } },
      name: 'capabilities',
      problem: /CAP_SYS_ADMIN/,
      remedy: /sudo/,
    },
    {
      what: 'root of a container without CAP_SYS_ADMIN',
      changes: { files: { '/proc/self/status': 'CapEff:\t000001ffffdfffff\n' } },
      name: 'capabilities',
      problem: /^CAP_SYS_ADMIN missing/,
      remedy: /--privileged/,
    },
    {
      what: 'no FUSE device',
      changes: { machine: { openDevice: () => Promise.resolve('ENOENT') } },
      name: '/dev/fuse',
      problem: /ENOENT/,
      remedy: /modprobe fuse/,
    },
    {
      what: 'a FUSE device that is forbidden by device rules',
      changes: { machine: { openDevice: () => Promise.resolve('EPERM') } },
      name: '/dev/fuse',
      problem: /EPERM/,
      remedy: /--device \/dev\/fuse/,
    },
    {
      what: 'no cgroup v2',
      changes: { files: { '/proc/self/mountinfo': '30 22 0:26 / /sys/fs/cgroup/cpu rw - cgroup cpu rw,cpu\n' } },
      name: 'cgroup v2',
      problem: /cgroup v2/,
      remedy: /mount -t cgroup2/,
    },
    {
      what: 'a helper for another processor',
      changes: { machine: { runInit: () => Promise.resolve({ status: 127, stderr: 'spawn ENOEXEC' }) } },
      name: 'nsdir-init',
      problem: /ENOEXEC/,
      remedy: /build-init/,
    },
    {
      what: 'another file system on the mount point',
      changes: { machine: { mountsAt: () => Promise.resolve([mounted('tmpfs')]) } },
      name: 'mount point',
      problem: /busy/,
      remedy: /^umount \/namespaces/,
    },
    {
      what: 'a dead foreign file system on the mount point',
      changes: {
        machine: {
          mountsAt: () => Promise.resolve([mounted('fuse.sshfs')]),
          ailmentOf: () => Promise.resolve('not connected'),
        },
      },
      name: 'mount point',
      problem: /does not answer.*not connected/,
      remedy: /^umount -l \/namespaces$/,
    },
    {
      what: 'a tree of ours around the mount point',
      changes: { machine: { mountOf: () => Promise.resolve({ ...mounted('fuse.nsdir'), mountPoint: '/' }) } },
      name: 'mount point',
      problem: /inside the tree of nsdir that is mounted at \/$/,
      remedy: /nsdir mount DIR/,
    },
    {
      what: 'a mount point that cannot be made',
      changes: {
        machine: {
          files: Volume.fromJSON(
            Object.fromEntries(Object.entries(FILES).filter(([file]) => file !== '/namespaces')),
          ) as unknown as FileAccess,
          mountOf: () => Promise.resolve({ ...mounted('erofs'), mountPoint: '/', options: ['ro'] }),
        },
      },
      name: 'mount point',
      problem: /cannot be made: \/ is mounted read-only/,
      remedy: /nsdir mount DIR/,
    },
    {
      what: 'files below the mount point',
      changes: { files: { '/namespaces/precious': 'x' } },
      name: 'mount point',
      problem: /not empty/,
      remedy: /nsdir mount DIR/,
    },
    {
      what: 'a file as mount point',
      changes: { files: { '/namespaces': 'x' } },
      name: 'mount point',
      problem: /no directory/,
      remedy: /nsdir mount DIR/,
    },
  ])('refuse $what and say how to mend it', async ({ changes, name, problem, remedy }) => {
    const found = await findings(changes);
    expect(lacking(found)).toEqual([name]);
    expect(found.get(name)).toMatchObject({ required: true, ok: false });
    expect(found.get(name)?.problem).toMatch(problem);
    expect(found.get(name)?.remedy).toMatch(remedy);
  });

  test('say what no bundle can be run without, and go on', async () => {
    const runtime = () => {
      throw new FsError('ENOENT', 'there is neither runc nor crun here');
    };
    expect((await findings({ machine: { runtime } })).get('OCI runtime')).toEqual({
      name: 'OCI runtime',
      required: false,
      ok: false,
      found: 'none',
      problem: 'Cannot run bundles: there is neither runc nor crun here',
      remedy: 'install what Debian calls runc',
    });
  });

  test('take a stale mount of ours for a good mount point', async () => {
    const found = await findings({
      machine: {
        mountsAt: () => Promise.resolve([mounted('fuse.nsdir')]),
        ailmentOf: () => Promise.resolve('not connected'),
      },
    });
    expect(found.get('mount point')).toMatchObject({ ok: true, found: expect.stringContaining('stale') as string });
  });

  test.each([
    { release: '5.6.19', lacks: ['clone3 into a cgroup', 'setns by pidfd', 'cgroup.kill', 'FUSE resend'] },
    { release: '5.14.0-570.el9', lacks: ['FUSE resend'] },
    { release: '6.1.0-28-amd64', lacks: ['FUSE resend'] },
    { release: '6.9.0', lacks: [] },
    { release: '6.12.48+deb13', lacks: [] },
  ])('only warn of what Linux $release lacks', async ({ release, lacks }) => {
    const found = await findings({ files: { '/proc/sys/kernel/osrelease': `${release}\n` } });
    expect(lacking(found)).toEqual(lacks);
    expect([...found.values()].some(({ ok, required }) => required && !ok)).toBe(false);
  });
});

describe('privateMachine', () => {
  const told = (files: Record<string, string>, stderr: string) => {
    const tryPrivateMachine = () => Promise.resolve({ status: stderr === '' ? 0 : 32, stderr });
    const machine = { files: Volume.fromJSON(files), tryPrivateMachine } as unknown as Machine;
    return runChecks([privateMachine], machine, instanceFor('/namespaces'));
  };
  const lock = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns';

  test.each([
    ['where it may be made', {}, '', { ok: true, found: 'nsdir shell' }],
    ['where the device is closed', {}, 'cannot open /dev/fuse', { ok: false, remedy: 'chmod 666 /dev/fuse' }],
    [
      'where a setting forbids it',
      { [lock]: '1\n' },
      'cannot map ids',
      { ok: false, remedy: expect.stringMatching(/=0$/) as string },
    ],
  ])('%s', async (_, files, stderr, finding) => {
    const [found] = await told(files, stderr);
    expect(found).toMatchObject({ name: 'private machine', required: false, ...finding });
    expect(found?.problem ?? '').toContain(stderr);
  });
});

describe('enteringOn', () => {
  test.each([
    ['x64', { ok: true, found: 'x86-64, by ptrace' }],
    ['arm64', { ok: true, found: 'aarch64, by ptrace: written from its manuals, untested' }],
    ['riscv64', { ok: false, remedy: 'start commands inside with nsdir run' }],
  ])('on %s', async (machine, finding) => {
    const files = Volume.fromJSON({}) as unknown as FileAccess;
    const [found] = await runChecks([enteringOn(machine)], { files } as Machine, instanceFor('/namespaces'));
    expect(found).toMatchObject({ name: 'entering', required: false, ...finding });
  });
});

test('containers that cannot be limited are told of, and are no reason not to mount', async () => {
  const found = await findings({ files: { '/sys/fs/cgroup/cgroup.controllers': 'hugetlb pids\n' } });
  expect(lacking(found)).toEqual(['limits']);
  expect(found.get('limits')).toMatchObject({
    required: false,
    problem: 'containers cannot be limited: cgroup v2 does not have memory, cpu',
  });
});

test.each([
  [['file'], '1 entry'],
  [['file', 'other'], '2 entries'],
])('a mount point with %j in it has %s', async (names, counted) => {
  const files = Object.fromEntries(names.map((name) => [`/namespaces/${name}`, '']));
  const finding = (await findings({ files })).get('mount point');
  expect(finding).toMatchObject({
    found: `/namespaces: ${counted}`,
    problem: expect.stringContaining('would be hidden') as string,
  });
});
