import { describe, expect, test } from 'vitest';
import type { SetKey } from '../../../src/discovery/key.ts';
import { cgroupPaths, likelyMaker } from '../../../src/discovery/parentage.ts';

const MACHINE = '1,2,3,4,5,6,7,8' as SetKey;
const set = (name: string, key: string, startTime: number, ...cgroups: string[]) => ({
  ...{ name, key: key as SetKey, startTime, cgroups: cgroups.length > 0 ? cgroups : ['/'] },
});
const orphan = set('orphan', '10,20,3,4,5,6,7,8', 100, '/a/b/c');

describe('likelyMaker', () => {
  test('is the older set that shares most of what is not the machine’s', () => {
    const shares = set('shares', '10,2,3,4,5,6,7,8', 50);
    const other = set('other', '11,2,3,4,5,6,7,8', 50);
    expect(likelyMaker(orphan, [other, shares], MACHINE)?.name).toBe('shares');
  });

  test('is none that is younger', () => {
    expect(likelyMaker(orphan, [set('young', '10,2,3,4,5,6,7,8', 101)], MACHINE)).toBeUndefined();
  });

  test('is none that has a namespace of its own where the orphan has the machine’s', () => {
    expect(likelyMaker(orphan, [set('net', '10,20,3,40,5,6,7,8', 50)], MACHINE)).toBeUndefined();
  });

  test('is the one with the longest cgroup above the orphan’s, where none shares more', () => {
    const near = set('near', '11,2,3,4,5,6,7,8', 50, '/a/b');
    const far = set('far', '12,2,3,4,5,6,7,8', 50, '/a');
    const beside = set('beside', '13,2,3,4,5,6,7,8', 50, '/a/b/cc');
    expect(likelyMaker(orphan, [far, near, beside], MACHINE)?.name).toBe('near');
  });

  test('is the machine itself where nobody shares anything: services beside each other', () => {
    const one = set('one', '11,2,3,4,5,6,7,8', 50, '/system.slice/one.service');
    const two = set('two', '12,2,3,4,5,6,7,8', 60, '/system.slice/two.service');
    expect(likelyMaker(two, [one], MACHINE)).toBeUndefined();
  });
});

describe('cgroupPaths', () => {
  test('are those of every hierarchy, in order', () => {
    expect(cgroupPaths('4:memory:/x:y\n0::/z\n')).toEqual(['/x:y', '/z']);
  });
});
