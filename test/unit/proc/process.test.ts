import { describe, expect, test } from 'vitest';
import { pid } from '../../../src/ids.ts';
import { isAlive, isKernelThread, namespacesOf, readStat, readStatus } from '../../../src/proc/process.ts';
import { procTree } from '../../support/proc-tree.ts';

describe('isAlive', () => {
  const { files } = procTree({ pid: 5, starttime: 42 }, { pid: 6, starttime: 42, state: 'Z' });

  test('is true for the very process', () => {
    expect(isAlive(files, pid(5), 42)).toBe(true);
  });

  test('is false for another process of that pid, a zombie, and none', () => {
    expect(isAlive(files, pid(5), 41)).toBe(false);
    expect(isAlive(files, pid(6), 42)).toBe(false);
    expect(isAlive(files, pid(7), 42)).toBe(false);
  });
});

describe('namespacesOf', () => {
  test('reads the namespaces that children will be in', () => {
    const { files } = procTree({ pid: 5, ns: { mnt: 1, pid: 2, pid_for_children: 3, time: 4, time_for_children: 5 } });
    expect(namespacesOf(files, pid(5))).toEqual({ mnt: 1, pid: 3, time: 5 });
  });

  test('leaves out what may not be read', () => {
    const { files } = procTree({ pid: 5, ns: { mnt: 1, net: 2 } });
    const shy = {
      ...files,
      readlinkSync: (path: string) => {
        if (path.endsWith('/mnt')) throw Object.assign(new Error('readlink'), { code: 'EACCES' });
        return files.readlinkSync(path);
      },
    };
    expect(namespacesOf(shy, pid(5))).toEqual({ net: 2 });
  });

  test('is empty for a process that is gone', () => {
    expect(namespacesOf(procTree().files, pid(5))).toEqual({});
  });
});

test('isKernelThread goes by the flag', () => {
  const { files } = procTree({ pid: 2, flags: 0x208040 }, { pid: 5 });
  expect(isKernelThread(readStat(files, pid(2))!)).toBe(true);
  expect(isKernelThread(readStat(files, pid(5))!)).toBe(false);
});

test('readStatus is undefined when the process ends while it is read', () => {
  const { files } = procTree({ pid: 5 });
  const racing = {
    ...files,
    readFileSync: () => {
      throw Object.assign(new Error('read'), { code: 'ESRCH' });
    },
  };
  expect(readStatus(racing, pid(5))).toBeUndefined();
});
