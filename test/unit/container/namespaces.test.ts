import { describe, expect, test } from 'vitest';
import { describeNamespaces } from '../../../src/container/namespaces.ts';
import { start } from '../../../src/container/start.ts';
import type { Pid } from '../../../src/ids.ts';
import { NAMESPACE_KINDS } from '../../../src/namespaces.ts';
import { FakeMachine, OWN_NAMESPACES } from '../../support/fake-machine.ts';

/** A reader who sees no process. */
const NOBODY = 0 as Pid;

/** `web` with uts and net of its own, `web/job` with uts of its own. The daemon has those of the machine. */
async function machineWithTwo() {
  const machine = new FakeMachine();
  const { volume } = machine.cgroupfs;
  const give = (pid: number, inodes: Record<string, number>) => {
    for (const [link, inode] of Object.entries(inodes)) {
      if (machine.files.readdirSync(`/proc/${pid}/ns`).includes(link)) volume.unlinkSync(`/proc/${pid}/ns/${link}`);
      volume.symlinkSync(`${link.replace('_for_children', '')}:[${inode}]`, `/proc/${pid}/ns/${link}`);
      machine.kernel.namespaces.set(`${pid}/${link}`, { inode, id: BigInt(inode) + 1000n });
    }
  };
  for (const [link, inode] of Object.entries(OWN_NAMESPACES))
    volume.symlinkSync(`${link}:[${inode}]`, `/proc/self/ns/${link}`);
  for (const path of ['web', 'web/job']) await start(machine, machine.container(path), machine.request());
  const [web, job] = [machine.container('web'), machine.container('web/job')];
  give(web.init!.pid, { ...OWN_NAMESPACES, uts: 22, net: 44 });
  give(job.init!.pid, { ...OWN_NAMESPACES, uts: 222, net: 44 });
  return { machine, web, job };
}

describe('describeNamespaces', () => {
  test('a row for each kind: inode, id, how many share it, who has it first', async () => {
    const { machine, web, job } = await machineWithTwo();
    using _ = machine;
    const { lines } = await describeNamespaces(machine, job, NOBODY);
    expect(lines.map(([kind]) => kind)).toEqual(NAMESPACE_KINDS.map(({ kind }) => kind));
    expect(Object.fromEntries(lines.map(([kind, ...rest]) => [kind, rest]))).toMatchObject({
      uts: ['222', '1222', '1', String(job.serial)],
      net: ['44', '1044', '2', String(web.serial)],
      ipc: ['3', '1003', '2', '0'],
    });
  });

  test('a kind this kernel does not tell is a dash', async () => {
    const { machine, web } = await machineWithTwo();
    using _ = machine;
    const { lines } = await describeNamespaces(machine, web, NOBODY);
    expect(lines.find(([kind]) => kind === 'time')).toEqual(['time', '-', '-', '0', String(web.serial)]);
  });

  test('counts the tasks of the container itself', async () => {
    const { machine, web, job } = await machineWithTwo();
    using _ = machine;
    machine.spawn(web);
    machine.spawn(job);
    expect((await describeNamespaces(machine, web, NOBODY)).tasks).toBe(2);
  });

  test('keeps no descriptor', async () => {
    const { machine, web } = await machineWithTwo();
    using _ = machine;
    await describeNamespaces(machine, web, NOBODY);
    expect(machine.kernel.openFds).toEqual([]);
  });

  test('ENOENT without an init', async () => {
    using machine = new FakeMachine();
    await expect(describeNamespaces(machine, machine.container('web'), NOBODY)).rejects.toMatchObject({
      errno: 'ENOENT',
    });
  });
});
