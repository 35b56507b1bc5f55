import { readdirSync, readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detached } from '../support/containers.ts';
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

  const listed = JSON.parse(await tree.ok('lsns --json')) as { namespaces: Namespace[] };
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

it('counts who shares a namespace as lsns does', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--uts'], 'sleep 1001 & sleep 1002 & exec sleep 1000');
  const at = await shown(tree, maker.pid);
  const [, inode, , count] = (await tree.ok(`grep ^uts ${at}/.nsproxy`)).split(' ');
  const listed = await tree.ok(`lsns --noheadings --output NS,NPROCS --task ${maker.pid}`);
  expect(listed.split('\n').map((line) => line.trim().replace(/\s+/, ' '))).toContain(`${inode} ${count}`);
  expect(readdirSync(`/proc/${maker.pid}/ns`)).toContain('uts');
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
