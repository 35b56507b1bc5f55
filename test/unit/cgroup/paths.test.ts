import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { containerPath, OWN_LEAF, serialsOf, unifiedPath } from '../../../src/cgroup/paths.ts';

const BASE = '/nsdir-x';
const serials = fc.array(fc.integer({ min: 1, max: 2 ** 29 }), { maxLength: 8 });
const madeInside = fc.array(fc.constantFrom('own', '7', 'system.slice', 'a b'), { maxLength: 3 });

describe('serialsOf', () => {
  test('is the inverse of containerPath, whatever a container made inside', () => {
    fc.assert(
      fc.property(serials, madeInside, (numbers, inside) => {
        const path = [containerPath(BASE, numbers), OWN_LEAF, ...inside].join('/');
        expect(serialsOf(`9:name=systemd:/5\n0::${path}\n`, BASE)).toEqual(numbers);
      }),
    );
  });

  test('is undefined for a process that is not below the base', () => {
    expect(serialsOf('0::/\n', BASE)).toBeUndefined();
    expect(serialsOf('0::/nsdir-x2/5/own\n', BASE)).toBeUndefined();
    expect(serialsOf('8:pids:/nsdir-x/5/own\n', BASE)).toBeUndefined();
    expect(serialsOf('', BASE)).toBeUndefined();
  });

  test('is empty for a process of the base itself', () => {
    expect(serialsOf('0::/nsdir-x\n', BASE)).toEqual([]);
    expect(serialsOf('0::/nsdir-x/launcher\n', BASE)).toEqual([]);
  });

  test('knows a base that is the hierarchy itself', () => {
    expect(serialsOf('0::/4/own\n', '/')).toEqual([4]);
  });

  test('takes only a number as we write it for a serial', () => {
    expect(serialsOf('0::/nsdir-x/3/04/own\n', BASE)).toEqual([3]);
    expect(serialsOf('0::/nsdir-x/0/own\n', BASE)).toEqual([]);
  });
});

describe('unifiedPath', () => {
  test('drops the mark of a removed cgroup', () => {
    expect(unifiedPath('0::/nsdir-x/3/own (deleted)\n')).toBe('/nsdir-x/3/own');
  });
});
