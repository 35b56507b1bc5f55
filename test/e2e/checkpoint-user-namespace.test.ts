import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseMountinfo } from '../../src/mountinfo.ts';
import {
  counting,
  countingIn,
  eachWithTree,
  nothingHeld,
  wentOn,
  type Counting,
  type Scratch,
} from '../support/checkpoints.ts';
import { detached, initOf, namespace, okInside, procsOf } from '../support/containers.ts';
import { eventually, type Mounted } from '../support/mounted.ts';
import { usersOf } from '../support/tree-users.ts';
import { workload } from '../support/workload.ts';

let tree: Mounted;
let disk: Scratch;
eachWithTree((mount, directory) => {
  [tree, disk] = [mount, directory];
});

const KINDS = ['user', 'mnt', 'uts', 'ipc', 'pid', 'cgroup'];

/** A container with a user namespace, and a counter in it. */
async function counterIn(name: string, kinds = KINDS): Promise<Counting> {
  const file = disk.at(`count-${name.replaceAll('/', '-')}`);
  await detached(tree, name, workload('count-on', file), '--ns', kinds.join());
  const counter = countingIn(file);
  await counter.beyond(3);
  return counter;
}

/** What a user namespace is about: maps, rights, what is mounted, whose files are. */
async function stateOf(name: string): Promise<Record<string, unknown>> {
  const init = await initOf(tree, name);
  const read = (file: string) => readFileSync(`/proc/${init}/${file}`, 'utf8');
  const lines = (pattern: RegExp) =>
    read('status')
      .split('\n')
      .filter((line) => pattern.test(line));
  const mounts = parseMountinfo(read('mountinfo'));
  return {
    uids: read('uid_map'),
    gids: read('gid_map'),
    setgroups: read('setgroups'),
    rights: lines(/^(Cap|NoNewPrivs|Groups|Umask)/),
    own: KINDS.filter((kind) => namespace(init, kind) !== namespace('self', kind)),
    mounts: mounts.map(({ mountPoint, type, options }) => `${mountPoint} ${type} ${options.join()}`).sort(),
    inside: await okInside(
      tree,
      name,
      'id; hostname; stat -c "%u %g %a" /dev/shm/owned; cat /proc/1/cgroup /run/own/file',
    ),
  };
}

async function isSaved(script: string): Promise<void> {
  const { status, stdout, stderr } = await tree.sh(script);
  const why = status === 0 ? '' : await tree.ok('find . -name .error -exec cat {} + 2>/dev/null || :');
  expect({ status, stdout, stderr }, why).toEqual({ status: 0, stdout: '', stderr: '' });
}

it('a container with a user namespace goes on at the next number, with the same ids, rights and mounts', async () => {
  const counter = await counterIn('web');
  await okInside(tree, 'web', 'echo x > /dev/shm/owned; chown 1000:1001 /dev/shm/owned; chmod 640 /dev/shm/owned');
  await okInside(tree, 'web', 'mkdir /run/own; mount -t tmpfs -o mode=700 own /run/own; echo kept > /run/own/file');
  const before = await stateOf('web');
  expect(before).toMatchObject({ own: KINDS });
  expect(before['inside']).toMatch(/^uid=0.*\n.*\n1000 1001 640\n/);
  await isSaved(`tar cf ${disk.at('web.tar')} web && rm -rf web`);
  const last = counter.last();
  await isSaved(`tar xf ${disk.at('web.tar')}`);
  await counter.beyond(last + 3);
  wentOn(counter.numbers(), 1);
  expect(await stateOf('web')).toEqual(before);
  expect(await tree.ok(`cut -f 2 web/.events | grep restored | wc -l`)).toBe('1');
  await nothingHeld(tree);
  // And again, of what was restored.
  await isSaved(`mkdir ${disk.at('away')}; mv web ${disk.at('away')}/; mv ${disk.at('away')}/web .`);
  await counter.beyond(counter.last() + 3);
  wentOn(counter.numbers(), 2);
  expect(await stateOf('web')).toEqual(before);
});

it('a copy of it runs beside it, in a user namespace of its own', async () => {
  const counter = await counterIn('web');
  await isSaved(`cp -a web ${disk.at('saved')} && cp -a ${disk.at('saved')} twin`);
  const [init, twin] = [await initOf(tree, 'web'), await initOf(tree, 'twin')];
  expect(namespace(twin, 'user')).not.toBe(namespace(init, 'user'));
  expect(await okInside(tree, 'twin', 'id -u; cat /proc/1/uid_map')).toBe(
    await okInside(tree, 'web', 'id -u; cat /proc/1/uid_map'),
  );
  await tree.ok('rm -rf twin');
  await counter.beyond(counter.last() + 2);
});

it('comes back frozen if it was, and with no more kinds of namespaces than it needs', async () => {
  const counter = await counterIn('web', ['user', 'mnt', 'pid']);
  await tree.ok('echo frozen > web/.state');
  await isSaved(`tar cf ${disk.at('web.tar')} web && rm -rf web && tar xf ${disk.at('web.tar')}`);
  expect(await tree.ok('cat web/.state')).toBe('frozen');
  const last = counter.last();
  await tree.ok('echo running > web/.state');
  await counter.beyond(last + 2);
  wentOn(counter.numbers(), 1);
});

it('has its network again, with a server and a client', async () => {
  const options = ['--ns', [...KINDS, 'net'].join()];
  await detached(tree, 'web', workload('hold', 'tcp', disk.at('report'), disk.dir), ...options);
  const lines = () => disk.read('report').split('\n').filter(Boolean);
  await eventually(() => lines().length > 3, 'it has begun');
  await isSaved(`tar cf ${disk.at('web.tar')} web && rm -rf web && tar xf ${disk.at('web.tar')}`);
  const before = lines().length;
  await eventually(() => lines().length > before + 3, 'it goes on');
  const [numbers, states] = [0, 1].map((field) => lines().map((line) => line.split(' ')[field] ?? ''));
  wentOn((numbers ?? []).map(Number), 1);
  expect(new Set(states).size).toBe(1);
  expect(await okInside(tree, 'web', 'cat /sys/class/net/lo/mtu')).toBe('65536');
});

it('a process of another uid inside goes on as that', async () => {
  const script = `umask 0; i=0; while :; do i=$((i+1)); echo $(id -u) $(id -g) > ${disk.at('who')}; sleep 0.02; done`;
  await tree.ok(`: > ${disk.at('who')}; chmod 777 ${disk.dir}; chmod 666 ${disk.at('who')}`);
  const command = ['setpriv', '--reuid=1000', '--regid=1001', '--clear-groups', 'sh', '-c', script];
  await detached(tree, 'web', command, '--ns', KINDS.join());
  await eventually(() => disk.read('who') === '1000 1001\n', 'it has begun');
  await isSaved(
    `tar cf ${disk.at('web.tar')} web && rm -rf web && : > ${disk.at('who')} && tar xf ${disk.at('web.tar')}`,
  );
  await eventually(() => disk.read('who') === '1000 1001\n', 'it goes on');
});

it('is saved and comes back within one that has none', async () => {
  const outer = await counting(tree, 'web', disk.at('outer'));
  const inner = await counterIn('web/job');
  await isSaved(`tar cf ${disk.at('web.tar')} web && rm -rf web`);
  const [last, lastInner] = [outer.last(), inner.last()];
  await isSaved(`tar xf ${disk.at('web.tar')}`);
  await outer.beyond(last + 2);
  await inner.beyond(lastInner + 2);
  for (const counter of [outer, inner]) wentOn(counter.numbers(), 1);
  const [init, job] = [await initOf(tree, 'web'), await initOf(tree, 'web/job')];
  expect(namespace(init, 'user')).toBe(namespace('self', 'user'));
  expect(namespace(job, 'user')).not.toBe(namespace('self', 'user'));
  expect(await okInside(tree, 'web/job', `cat /proc/1/comm; ls -A ${tree.dir} | grep -c nsproxy`)).toBe(
    'nsdir-init\n1',
  );
});

describe('cannot be saved, and says why before anything is frozen:', () => {
  async function isRefused(name: string, why: RegExp): Promise<void> {
    const { status, stderr } = await tree.nsdir('checkpoint', '--check', name);
    expect(status).toBe(1);
    expect(stderr).toMatch(why);
    expect((await tree.sh(`tar cf ${disk.at('web.tar')} ${name}`)).status).not.toBe(0);
    expect(await tree.ok(`cat ${name}/.state`)).toBe('running');
    await nothingHeld(tree);
  }

  it('a container in one that has a user namespace', async () => {
    await counterIn('web');
    await detached(tree, 'web/job', ['sleep', '1000']);
    await isRefused(
      'web',
      /Cannot checkpoint "web\/job": it is in the user namespace of "web", .*; end it, or move it out/,
    );
    await tree.ok('rm -rf web/job');
    await isSaved(`tar cf ${disk.at('web.tar')} web`);
  });

  it('a container of a user', async () => {
    await using made = await usersOf(tree, 1);
    const [alice] = made.users;
    await tree.ok('chmod 1777 .');
    await alice?.ok('mkdir hers; echo running > hers/.state');
    await isRefused(
      'hers',
      new RegExp(`it runs as uid ${alice?.uid ?? 0}, in a user namespace with the machine’s mount`),
    );
    expect((await alice?.sh('touch hers/.checkpoint'))?.status).toBe(1);
    expect(await tree.ok('cat hers/.error')).toBe(
      'EPERM: Cannot checkpoint "hers": images are memory, and only root saves them; ask root',
    );
    expect(await procsOf(tree, 'hers')).toHaveLength(1);
  });
});
