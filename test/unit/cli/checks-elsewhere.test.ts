import { expect, test } from 'vitest';
import { FsError } from '../../../src/errno.ts';
import { findings, lacking, mounted } from '../../support/findings.ts';

test.each([
  ['ID=debian\n', 'apt-get install runc'],
  ['NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', 'apt-get install runc'],
  ['ID=fedora\n', 'dnf install runc'],
  ["ID='arch'\n", 'pacman -S runc'],
  ['ID=alpine\n', 'apk add runc'],
  ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', 'zypper install runc'],
  ['ID=nixos\n', 'install what Debian calls runc'],
])('what is missing is installed in the way of the machine that says %j', async (release, remedy) => {
  const runtime = () => {
    throw new FsError('ENOENT', 'there is none');
  };
  const found = await findings({ files: { '/etc/os-release': release }, machine: { runtime } });
  expect(found.get('OCI runtime')).toMatchObject({ remedy });
});

test('processes in the root cgroup of a container keep it from limiting its own', async () => {
  const cgroup = (name: string) => `/sys/fs/cgroup/cgroup.${name}`;
  const files = { [cgroup('type')]: 'domain\n', [cgroup('procs')]: '1\n17\n', [cgroup('subtree_control')]: '\n' };
  expect((await findings({ files })).get('limits')).toMatchObject({
    ok: false,
    problem: expect.stringContaining('processes in /sys/fs/cgroup itself') as string,
  });
  const given = { ...files, [cgroup('subtree_control')]: 'cpu memory pids\n' };
  expect(lacking(await findings({ files: given }))).toEqual([]);
  expect(lacking(await findings({ files: { ...files, [cgroup('procs')]: '' } }))).toEqual([]);
});

test.each([
  ['0', []],
  ['1', []],
  ['3', ['entering']],
])('with kernel.yama.ptrace_scope %s, lacking is %j', async (scope, names) => {
  const files = { '/proc/sys/kernel/yama/ptrace_scope': `${scope}\n` };
  expect(lacking(await findings({ files }))).toEqual(names);
});

test.each([
  ['ext4', '/dev/vda3', '/var', []],
  ['tmpfs', 'tmpfs', '/', []],
  ['zfs', 'rpool/var', '/var', []],
  ['tmpfs', 'tmpfs', '/var', ['state directory']],
  ['fuseblk', '/dev/sdb1', '/var', ['state directory']],
])('with a state directory in a %s of %s at %s, lacking is %j', async (type, source, mountPoint, names) => {
  const mountOf = () => Promise.resolve({ ...mounted(type), source, mountPoint });
  expect(lacking(await findings({ machine: { mountOf } }))).toEqual(names);
});
