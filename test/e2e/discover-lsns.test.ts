import { readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detached, okInside } from '../support/containers.ts';
import { discovering, shown, unshared } from '../support/found.ts';
import { eventually } from '../support/mounted.ts';

interface Namespace {
  readonly ns: number;
  readonly type: string;
  readonly pid: number;
}

it('says who shares what as lsns does: every namespace that has a process is in exactly the containers that have it', async () => {
  await using tree = await discovering();
  await using one = await unshared(['--mount', '--uts'], 'unshare --net sleep 1000 & exec sleep 1000');
  await using two = await unshared(['--user', '--map-root-user', '--pid', '--fork', '--ipc', '--cgroup', '--time']);
  await detached(tree, 'web', ['unshare', '--uts', 'sleep', '1000']);
  const mine = [await shown(tree, one.pid), await shown(tree, two.pid), 'web', 'web/unnamed1'];
  await eventually(async () => (await tree.ok(`ls -d web/unnamed1`)) !== '', 'what is in web is shown');
  await eventually(async () => (await tree.ok(`ls ${mine[0]!}`)) === 'unnamed1', 'and what is in the first');
  mine.push(`${mine[0]!}/unnamed1`);

  // It fails where a process ends while it looks.
  const lsns = 'for try in $(seq 20); do if all=$(lsns --json); then break; fi; sleep 0.1; done; printf %s "$all"';
  const listed = JSON.parse(await tree.ok(lsns)) as { namespaces: Namespace[] };
  const has = new Map<string, Map<string, number>>();
  for (const at of [...mine, '.']) has.set(at, namespaces(await tree.ok(`cat ${at}/.nsproxy`)));
  for (const { ns, type, pid } of listed.namespaces) {
    const containers = [...has].filter(([, kinds]) => kinds.get(type) === ns).map(([at]) => at);
    const inTruth = new Set<string>();
    for (const at of mine) {
      const pids = (await tree.ok(`cat ${at}/.procs`)).split('\n');
      // unshare(1) waits outside of the pid namespace it made, as everybody's maker does.
      if (pids.some((each) => linkOf(each, linkName(type)) === `${type}:[${ns}]`)) inTruth.add(at);
    }
    if (linkOf('self', linkName(type)) === `${type}:[${ns}]`) inTruth.add('.');
    expect(new Set(containers), `${type}:[${ns}] of process ${pid}`).toEqual(inTruth);
  }
  const kinds = new Set(listed.namespaces.map(({ type }) => type));
  expect([...kinds].sort()).toEqual(['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts']);
});

it('names who shares a namespace as lsns does, to each reader as he knows them', async () => {
  await using tree = await discovering();
  await detached(tree, 'web', ['sh', '-c', 'sleep 1001 & sleep 1002 & exec sleep 1000']);
  await using maker = await unshared(['--uts'], 'sleep 1001 & sleep 1002 & exec sleep 1000');
  for (const at of ['web', await shown(tree, maker.pid)]) {
    await eventually(async () => {
      const [, inode = '', , count = '', , ...pids] = (await tree.ok(`grep ^uts ${at}/.nsproxy`)).split(' ');
      const listed = (await tree.ok(`lsns --noheadings --output PID ${inode}`)).split('\n').map((line) => line.trim());
      return pids.join() === listed.join() && Number(count) === pids.length;
    }, `the same processes are in ${at}`);
  }
  const own = await okInside(tree, 'web', `grep ^pid ${tree.dir}/.nsproxy | cut -d ' ' -f 6-; cat ${tree.dir}/.procs`);
  const [named = '', ...pids] = own.split('\n');
  expect(named.split(' ').slice(0, 4)).toEqual(pids.slice(0, 4));
  expect(named).toMatch(/^1 /);
});

it('names so many, and counts the others', async () => {
  await using tree = await discovering();
  const many = 'for each in $(seq 79); do sleep 1000 & done; exec sleep 1000';
  await using maker = await unshared(['--uts'], many);
  const at = await shown(tree, maker.pid);
  await eventually(
    async () => / 80 \d+( \d+){64} … and 16 more$/.test(await tree.ok(`grep ^uts ${at}/.nsproxy`)),
    'it names 64 of 80',
  );
  const [size, bytes] = (
    await tree.ok(`exec python3 -c '
import os
print(os.lstat("${at}/.nsproxy").st_size, len(open("${at}/.nsproxy", "rb").read()))'`)
  ).split(' ');
  expect(size).toBe(bytes);
});

function namespaces(text: string): Map<string, number> {
  return new Map(text.split('\n').map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

/** Children's namespaces tell containers apart. */
function linkName(type: string): string {
  return type === 'pid' || type === 'time' ? `${type}_for_children` : type;
}

function linkOf(pid: string, name: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${name}`);
  } catch {
    return '';
  }
}
