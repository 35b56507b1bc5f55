import { expect, it } from 'vitest';
import { delegatedCgroup } from '../../../src/cgroup/delegated.ts';
import { FakeCgroupfs } from '../../support/fake-cgroupfs.ts';

const MOUNTINFO = '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n';

function machine(cgroup: string) {
  const fake = new FakeCgroupfs();
  fake.volume.mkdirSync('/proc/self', { recursive: true });
  fake.volume.writeFileSync('/proc/self/mountinfo', MOUNTINFO);
  fake.volume.writeFileSync('/proc/self/cgroup', `0::${cgroup}\n`);
  return fake.files;
}

it('is the own cgroup, below the mount, of who may make cgroups there and move processes', () => {
  expect(delegatedCgroup(machine('/user/alice'), () => true)).toBe('user/alice');
});

it('is none if only one of both may be done', () => {
  const files = machine('/user/alice');
  expect(delegatedCgroup(files, (file) => file.endsWith('cgroup.procs'))).toBeUndefined();
  expect(delegatedCgroup(files, (file) => !file.endsWith('cgroup.procs'))).toBeUndefined();
});

it('is none where there is no cgroup v2', () => {
  const files = machine('/user/alice');
  files.writeFileSync('/proc/self/mountinfo', '');
  expect(delegatedCgroup(files, () => true)).toBeUndefined();
});
