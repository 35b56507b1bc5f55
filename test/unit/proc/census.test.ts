import { afterEach, describe, expect, test, vi } from 'vitest';
import { createCensusTaker } from '../../../src/proc/census.ts';
import type { Pid } from '../../../src/ids.ts';
import { addProcess, procTree } from '../../support/proc-tree.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Two processes in net 9, one of them and one more in mnt 9, and a kernel thread. */
function machine() {
  return procTree(
    { pid: 5, ns: { net: 9, mnt: 8, pid: 4, pid_for_children: 3 } },
    { pid: 6, ns: { net: 9, mnt: 9 } },
    { pid: 7, ns: { net: 7, mnt: 9 }, comm: 'a) R 1' },
    { pid: 2, ns: { net: 9, mnt: 9 }, flags: 0x208040 },
    { pid: 8, state: 'Z' },
  );
}

describe('createCensusTaker', () => {
  test('knows the processes per kind and inode, without kernel threads', async () => {
    const census = await createCensusTaker(machine().files)();
    expect([census.tasks('net', 9), census.tasks('mnt', 9), census.tasks('mnt', 8), census.tasks('uts', 9)]).toEqual([
      [5, 6],
      [6, 7],
      [5],
      [],
    ]);
    expect([census.pidNamespaceOf(5 as Pid), census.pidNamespaceOf(6 as Pid)]).toEqual([4, undefined]);
  });

  test('one pass serves all who come during it and for a second after', async () => {
    const { volume, files } = machine();
    const take = createCensusTaker(files);
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const [first, second] = await Promise.all([take(), take()]);
    expect(second).toBe(first);
    addProcess(volume, { pid: 50, ns: { net: 9 } });
    now.mockReturnValue(999);
    expect((await take()).tasks('net', 9)).toHaveLength(2);
    now.mockReturnValue(1000);
    expect((await take()).tasks('net', 9)).toHaveLength(3);
  });

  test('a pass that failed is not kept', async () => {
    const { files } = machine();
    let broken = true;
    const flaky = {
      ...files,
      readlinkSync: files.readlinkSync.bind(files),
      readFileSync: files.readFileSync.bind(files),
      readdirSync: ((path: string) => {
        if (broken) throw Object.assign(new Error('readdir'), { code: 'EMFILE' });
        return files.readdirSync(path);
      }) as typeof files.readdirSync,
    };
    const take = createCensusTaker(flaky);
    await expect(take()).rejects.toThrow('readdir');
    broken = false;
    expect((await take()).tasks('net', 9)).toHaveLength(2);
  });

  test('a long pass is served for ten times as long', async () => {
    const { volume, files } = machine();
    let clock = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => clock);
    const take = createCensusTaker({
      ...files,
      readlinkSync: files.readlinkSync.bind(files),
      readFileSync: files.readFileSync.bind(files),
      readdirSync: ((path: string) => {
        clock += 500;
        return files.readdirSync(path);
      }) as typeof files.readdirSync,
    });
    await take();
    addProcess(volume, { pid: 50, ns: { net: 9 } });
    clock = 5_400;
    expect((await take()).tasks('net', 9)).toHaveLength(2);
    clock = 5_600;
    expect((await take()).tasks('net', 9)).toHaveLength(3);
  });
});
