import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detached, initOf } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

const KINDS = ['mnt', 'uts', 'ipc', 'net', 'pid', 'user', 'cgroup', 'time'];

it('leads with .init to the /proc directory of the init', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const init = await initOf(tree, 'web');
  expect(await tree.ok('cat web/.init/comm && cat web/.init/cmdline | tr -d "\\0 "')).toBe('nsdir-init\nnsdir-initweb');
  expect(readFileSync(`/proc/${init}/cgroup`, 'utf8')).toContain(`/${tree.instance.cgroupName}/`);
});

it('leads with .ns/KIND to the init’s namespaces, so that stat -L, readlink and nsenter work', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo "running +net" > web/.state');
  const init = await initOf(tree, 'web');
  expect(await tree.ok('ls web/.ns')).toBe([...KINDS].sort().join('\n'));
  for (const kind of KINDS) {
    expect(await tree.ok(`readlink web/.ns/${kind} && readlink -f web/.init/ns/${kind}`), kind).toContain(
      `/proc/${init}/ns/${kind}\n`,
    );
    expect(await tree.ok(`stat -L -c %i web/.ns/${kind}`), kind).toBe(String(statSync(`/proc/${init}/ns/${kind}`).ino));
  }
  expect(await tree.ok('nsenter --net=web/.ns/net ls /sys/class/net | wc -l')).not.toBe('');
  expect(await tree.ok(`nsenter --net=web/.ns/net readlink /proc/self/ns/net`)).toBe(
    readlinkSync(`/proc/${init}/ns/net`),
  );
  expect(await tree.ok(`nsenter --net=${tree.dir}/web/.ns/net true && nsenter --uts=web/.ns/uts hostname`)).toBe('web');
});

it('agrees with lsns, in .nsproxy, on each namespace and on how many processes share it', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sh', '-c', 'sleep 1000 & sleep 1000 & exec sleep 1000']);
  await tree.ok('until [ "$(wc -l < web/.procs)" = 4 ]; do sleep 0.05; done');
  const init = await initOf(tree, 'web');
  const seen = await tree.ok(`lsns -n -r -o TYPE,NS,NPROCS -p ${init}`);
  const lsns = new Map(seen.split('\n').map((line) => [line.split(' ')[0], line.split(' ').slice(1)]));
  const lines = (await tree.ok('cat web/.nsproxy')).split('\n').map((line) => line.split(' '));
  expect(lines.map(([kind]) => kind)).toEqual(KINDS);
  for (const [kind, inode, , tasks] of lines) {
    expect(inode, kind).toBe(lsns.get(kind)?.[0]);
    if (['mnt', 'uts', 'ipc', 'pid', 'cgroup'].includes(kind ?? '')) {
      expect(tasks, kind).toBe('4');
      expect(lsns.get(kind)?.[1], kind).toBe('4');
    }
  }
});

it('tells with the link count of .nsproxy how many tasks there are, one more', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', ['sh', '-c', 'sleep 1000 & exec sleep 1000']);
  await tree.ok('until [ "$(wc -l < web/.procs)" = 3 ]; do sleep 0.05; done');
  expect(await tree.ok('stat -c %h web/.nsproxy')).toBe('4');
});

it('tells in .nsproxy where a namespace was first seen: here, above, or on the machine', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo "running uts" > web/job/.state');
  const serial = async (name: string) => (await tree.ok(`readlink ${name}/.cgroup`)).split('/').at(-1);
  const [web, job] = [await serial('web'), await serial('web/job')];
  const lines = (await tree.ok('cat web/job/.nsproxy')).split('\n').map((line) => line.split(' '));
  const first = Object.fromEntries(lines.map((line) => [line[0] ?? '', line[4]]));
  expect(first).toEqual({ mnt: web, uts: job, ipc: web, net: '0', pid: web, user: '0', cgroup: web, time: '0' });
});

it('has neither once the init is gone', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state && echo stopped > web/.state');
  expect(await tree.ok('ls -A web')).toBe('.events\n.exit\n.state');
});
