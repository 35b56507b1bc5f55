import { Volume } from 'memfs';
import { expect, test, vi } from 'vitest';
import { subtree, type Container } from '../../../src/container/container.ts';
import { Discovery } from '../../../src/container/discovery.ts';
import type { FileAccess } from '../../../src/files.ts';
import type { Pid } from '../../../src/ids.ts';
import { FakeMachine } from '../../support/fake-machine.ts';
import { addProcess, type FakeProcess } from '../../support/proc-tree.ts';

const MACHINE = {
  ...{ mnt: 1, uts: 2, ipc: 3, net: 4, pid: 5, pid_for_children: 5 },
  ...{ user: 6, cgroup: 7, time: 8, time_for_children: 8 },
};
const ID = 'c0ffee'.padEnd(64, '1');

/** Kinds that a container of docker's has of its own. */
const docker = (first: number) => ({
  ...{ mnt: first, uts: first + 1, ipc: first + 2, net: first + 3, pid: first + 4, pid_for_children: first + 4 },
  cgroup: first + 5,
});

/** A server with docker and services of systemd, as far as /proc shows them on a unified host; without what is of no concern. */
const PROCESSES: readonly (FakeProcess & { readonly in: string })[] = [
  { pid: 1, ppid: 0, comm: 'systemd', in: '/init.scope' },
  { pid: 400, comm: 'systemd-udevd', in: '/system.slice/systemd-udevd.service/udev', ns: { mnt: 40, uts: 41 } },
  { pid: 500, comm: 'dockerd', in: '/system.slice/docker.service' },
  // PrivateTmp=yes; the workers are of the same set.
  { pid: 600, comm: 'nginx', in: '/system.slice/nginx.service', ns: { mnt: 60 } },
  { pid: 601, ppid: 600, comm: 'nginx', in: '/system.slice/nginx.service', ns: { mnt: 60 }, uids: [33, 33, 33, 33] },
  // An instance of a template, PrivateTmp=yes and PrivateNetwork=yes.
  {
    pid: 650,
    comm: 'redis-server',
    in: '/system.slice/system-redis.slice/redis@main.service',
    ns: { mnt: 65, net: 66 },
  },
  { pid: 700, comm: 'containerd-shim', in: '/system.slice/containerd.service' },
  { pid: 720, ppid: 700, comm: 'postgres', in: `/system.slice/docker-${ID}.scope`, ns: docker(70), nsPids: [720, 1] },
  { pid: 721, ppid: 720, comm: 'postgres', in: `/system.slice/docker-${ID}.scope`, ns: docker(70), nsPids: [721, 60] },
  // A sandbox made in it.
  {
    ...{ pid: 722, ppid: 721, comm: 'bwrap', in: `/system.slice/docker-${ID}.scope` },
    ...{ ns: { ...docker(70), mnt: 80, user: 81 }, nsPids: [722, 70] },
  },
];

/** The discovery of such a server, and its /proc. */
function server(machine: FakeMachine): { discovery: Discovery; volume: Volume } {
  const volume = new Volume();
  for (const { in: cgroup, ...process } of PROCESSES) {
    const ns = { ...MACHINE, ...process.ns };
    addProcess(volume, { ...process, cgroup: `0::${cgroup}\n`, ns });
    for (const [link, inode] of Object.entries(ns)) {
      machine.kernel.namespaces.set(`${process.pid}/${link}`, { inode, id: BigInt(inode) });
    }
  }
  volume.writeFileSync('/proc/loadavg', `0 0 0 1/${PROCESSES.length} 722\n`);
  const { kernel, store, events, log, declaredOf } = machine;
  store.registry.root.init = { pid: 1 as Pid, startTime: 101 };
  const files = volume as unknown as FileAccess;
  return { discovery: new Discovery({ files, kernel, store, events, log, declaredOf }), volume };
}

test('containers of docker and services of systemd are directories, under their names and where they were made', async () => {
  using machine = new FakeMachine();
  const { store } = machine;
  const { discovery } = server(machine);
  await discovery.ready();
  const found: Record<string, unknown> = {};
  for (const container of subtree(store.registry.root)) {
    if (container.found) found[pathOf(container)] = [await discovery.processesOf(container), container.kinds];
  }
  expect(found).toEqual({
    'systemd-udevd': [[400], ['mnt', 'uts']],
    nginx: [[600, 601], ['mnt']],
    'redis@main': [[650], ['mnt', 'net']],
    [ID.slice(0, 12)]: [
      [720, 721],
      ['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup'],
    ],
    [`${ID.slice(0, 12)}/unnamed1`]: [[722], ['mnt', 'user']],
  });
});

test.each(['running', 'removing'] as const)('whose first process ends, being %s, stays so', async (phase) => {
  using machine = new FakeMachine();
  const { store } = machine;
  const { discovery, volume } = server(machine);
  await discovery.ready();
  const nginx = store.registry.root.children.get('nginx')!;
  store.commit([{ op: 'phase', serial: nginx.serial, phase, at: { sec: 1, nsec: 0 } }]);
  volume.rmSync('/proc/600', { recursive: true });
  volume.writeFileSync('/proc/loadavg', `0 0 0 1/${PROCESSES.length - 1} 722\n`);
  await discovery.round();
  expect([nginx.phase, nginx.init?.pid]).toEqual([phase, phase === 'running' ? 601 : 600]);
});

test('has the name that its monitor knows, though it was first seen as the child of a runtime, which is gone', async () => {
  using machine = new FakeMachine();
  const { store, kernel } = machine;
  const { discovery, volume } = server(machine);
  await discovery.ready();
  const ns = { ...MACHINE, mnt: 90, uts: 91 };
  for (const [link, inode] of Object.entries(ns)) kernel.namespaces.set(`802/${link}`, { inode, id: BigInt(inode) });
  const first = { pid: 802, cgroup: `0::/machine.slice/libpod-${ID}.scope\n`, ns };
  addProcess(volume, { pid: 800, comm: 'conmon', ns: MACHINE });
  volume.writeFileSync('/proc/800/cmdline', ['/usr/bin/conmon', '-c', ID, '-n', 'fervent_hopper', ''].join('\0'));
  addProcess(volume, { pid: 801, ppid: 800, comm: 'crun', ns: MACHINE });
  addProcess(volume, { ...first, ppid: 801 });
  discovery.observer.look(802 as Pid, performance.now());
  volume.rmSync('/proc/801', { recursive: true });
  addProcess(volume, { ...first, ppid: 800 });
  await vi.waitFor(async () => {
    await discovery.round();
    expect(store.registry.root.children.get('fervent_hopper')?.init?.pid).toBe(802);
  });
});

function pathOf({ parent, name }: Container): string {
  return parent?.found ? `${pathOf(parent)}/${name}` : name;
}
