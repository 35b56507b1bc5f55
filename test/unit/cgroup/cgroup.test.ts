import { describe, expect, test } from 'vitest';
import { createCgroup, isPopulated, ownProcesses, processes, subtree } from '../../../src/cgroup/cgroup.ts';
import { createBase, createContainerCgroup } from '../../../src/cgroup/controllers.ts';
import type { Hierarchy } from '../../../src/cgroup/hierarchy.ts';
import { removeCgroup } from '../../../src/cgroup/remove.ts';
import { FakeCgroupfs } from '../../support/fake-cgroupfs.ts';

const BASE = '/sys/fs/cgroup/nsdir-x';
const WEB = `${BASE}/1`;

function hierarchy(...controllers: string[]): Hierarchy {
  return { mountPoint: '/sys/fs/cgroup', root: '/', layout: 'unified', controllers, canKill: true, canFreeze: true };
}

describe('processes', () => {
  test('are those of the whole subtree, ascending, each once', async () => {
    const fake = new FakeCgroupfs();
    fake.cgroup(`${WEB}/own`, 30, 7);
    fake.cgroup(`${WEB}/2/own/made-inside`, 8);
    fake.cgroup(`${BASE}/3/own`, 9);
    expect(await processes(fake.files, WEB)).toEqual([7, 8, 30]);
    expect(ownProcesses(fake.files, `${WEB}/own`)).toEqual([30, 7]);
  });

  test('leaves out what the daemon cannot see, which the kernel lists as 0', async () => {
    const fake = new FakeCgroupfs();
    fake.cgroup(`${WEB}/own`, 0, 5);
    expect(await processes(fake.files, WEB)).toEqual([5]);
  });

  test('are none for a cgroup that is gone', async () => {
    expect(await processes(new FakeCgroupfs().files, WEB)).toEqual([]);
  });

  test('passes over threaded cgroups', async () => {
    const fake = new FakeCgroupfs();
    fake.cgroup(`${WEB}/own/threaded`);
    fake.cgroup(`${WEB}/own`, 5);
    const files = {
      ...fake.files,
      readFileSync: (path: string, encoding: 'utf8' | 'latin1') => {
        if (path.endsWith('threaded/cgroup.procs')) throw Object.assign(new Error('read'), { code: 'EOPNOTSUPP' });
        return fake.files.readFileSync(path, encoding);
      },
    };
    expect(await processes(files, WEB)).toEqual([5]);
  });
});

test('isPopulated is false for a cgroup that is gone', () => {
  expect(isPopulated(new FakeCgroupfs().files, WEB)).toBe(false);
});

test('subtree lists parents before children', async () => {
  const fake = new FakeCgroupfs();
  fake.cgroup(`${WEB}/own`);
  fake.cgroup(`${WEB}/2/own`);
  const found = await subtree(fake.files, WEB);
  expect(found).toHaveLength(4);
  for (const directory of found.slice(1)) {
    expect(found.indexOf(directory.slice(0, directory.lastIndexOf('/')))).toBeLessThan(found.indexOf(directory));
  }
});

test('createCgroup says what it could not make', () => {
  const fake = new FakeCgroupfs();
  expect(() => {
    createCgroup(fake.files, WEB);
  }).toThrow(expect.objectContaining({ errno: 'ENOENT', message: expect.stringContaining(WEB) as string }));
});

describe('createBase and createContainerCgroup', () => {
  test('hand the wanted controllers down the chain, but not to the leaf', () => {
    const fake = new FakeCgroupfs({ controllers: ['cpuset', 'cpu', 'memory'] });
    createBase(fake.files, hierarchy('cpuset', 'cpu', 'memory'), `${BASE}/deep`);
    createContainerCgroup(fake.files, hierarchy('cpuset', 'cpu', 'memory'), `${BASE}/deep/1`);
    expect(fake.writes).toEqual([
      ['/sys/fs/cgroup/cgroup.subtree_control', '+memory +cpu'],
      [`${BASE}/cgroup.subtree_control`, '+memory +cpu'],
      [`${BASE}/deep/cgroup.subtree_control`, '+memory +cpu'],
      [`${BASE}/deep/1/cgroup.subtree_control`, '+memory +cpu'],
    ]);
    expect(fake.files.existsSync(`${BASE}/deep/1/own`)).toBe(true);
  });

  test('write nothing where v2 has no controllers, and take a base that is there', () => {
    const fake = new FakeCgroupfs();
    createBase(fake.files, hierarchy('hugetlb'), BASE);
    createBase(fake.files, hierarchy('hugetlb'), BASE);
    expect(fake.writes).toEqual([]);
  });

  test('enable what they can, one at a time, when not all can be', () => {
    const fake = new FakeCgroupfs();
    fake.refusals.set('/sys/fs/cgroup/cgroup.subtree_control', 'EBUSY');
    createBase(fake.files, hierarchy('memory', 'pids'), BASE);
    expect(fake.writes.map(([, data]) => data)).toEqual(['+memory +pids', '+memory', '+pids', '+memory +pids']);
  });
});

describe('removeCgroup', () => {
  test('removes all below it too, innermost first', async () => {
    const fake = new FakeCgroupfs();
    fake.cgroup(`${WEB}/own/made/inside`);
    fake.cgroup(`${WEB}/2/own`);
    await removeCgroup(fake.files, WEB);
    expect(fake.files.existsSync(WEB)).toBe(false);
    expect(fake.files.existsSync(BASE)).toBe(true);
  });

  test('has nothing to do for one that is gone', async () => {
    await expect(removeCgroup(new FakeCgroupfs().files, WEB)).resolves.toBeUndefined();
  });

  test('tries again while it is busy', async () => {
    const fake = new FakeCgroupfs();
    fake.cgroup(`${WEB}/own`, 5);
    setTimeout(() => fake.processes.delete(5), 5);
    await removeCgroup(fake.files, WEB);
    expect(fake.files.existsSync(WEB)).toBe(false);
  });

  test('EBUSY, naming a process that stays', async () => {
    const fake = new FakeCgroupfs();
    fake.cgroup(`${WEB}/own`, 5);
    await expect(removeCgroup(fake.files, WEB, 5)).rejects.toMatchObject({
      errno: 'EBUSY',
      message: expect.stringContaining('process 5') as string,
    });
  });
});
