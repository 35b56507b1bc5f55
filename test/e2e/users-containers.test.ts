import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { initOf } from '../support/containers.ts';
import { isAlive, mounted, type Mounted } from '../support/mounted.ts';
import { usersOf, type TreeUser, type TreeUsers } from '../support/tree-users.ts';

let tree: Mounted;
let made: TreeUsers;
let alice: TreeUser;
let bob: TreeUser;
beforeAll(async () => {
  tree = await mounted();
  made = await usersOf(tree, 2, { commands: true });
  [alice, bob] = made.users as [TreeUser, TreeUser];
  await tree.ok('chmod 1777 .');
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  await made[Symbol.asyncDispose]();
});

const status = (pid: number, key: string) =>
  new RegExp(`^${key}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
const map = (pid: number, kind: string) =>
  readFileSync(`/proc/${pid}/${kind}_map`, 'utf8').trim().replaceAll(/ +/g, ' ');
/** What /etc/subuid or /etc/subgid gives a user. */
const range = (file: string, { name }: TreeUser) =>
  new RegExp(`^${name}:(\\d+):(\\d+)$`, 'm').exec(readFileSync(file, 'utf8'))?.slice(1).join(' ');

it('starts a container of a user with him as its root, his subordinate ids, and no rights elsewhere', async () => {
  await alice.ok('mkdir a; echo running > a/.state');
  const init = await initOf(tree, 'a');
  const { uid } = alice;
  for (const key of ['Uid', 'Gid']) expect(status(init, key)).toBe([uid, uid, uid, uid].join('\t'));
  expect(status(init, 'Groups')).toBe('');
  expect(map(init, 'uid')).toBe(`0 ${uid} 1\n 1 ${range('/etc/subuid', alice) ?? ''}`);
  expect(map(init, 'gid')).toBe(`0 ${uid} 1\n 1 ${range('/etc/subgid', alice) ?? ''}`);
  expect(readFileSync(`/proc/${init}/setgroups`, 'utf8')).toBe('allow\n');
  const descriptors = readdirSync(`/proc/${init}/fd`).map((fd) => readlinkSync(`/proc/${init}/fd/${fd}`));
  expect(descriptors.map((link) => link.replace(/\[\d+\]/, ''))).toEqual([
    ...Array<string>(3).fill('/dev/null'),
    'socket:',
    'anon_inode:[signalfd]',
  ]);
  expect(await tree.ok('cut -d " " -f 1,5 a/.nsproxy | grep -v " 0$" | cut -d " " -f 1 | paste -sd ,')).toBe(
    'mnt,uts,ipc,pid,user,cgroup',
  );
  await alice.ok('rm -rf a');
  expect(isAlive(init)).toBe(false);
});

it('runs commands in it for its owner and for root, and shows what detached ones wrote', async () => {
  expect(await alice.ok('nsdir run run -- sh -c "id -u; id -g; hostname; umask; touch ~/made"')).toBe(
    '0\n0\nrun\n0022',
  );
  expect(await alice.ok('stat -c %U ~/made')).toBe(alice.name);
  expect(await alice.ok('nsdir run -d run -- sh -c "echo begun; sleep 1000"')).toBe('');
  expect((await tree.nsdir('run', 'run', '--', 'id', '-u')).stdout).toBe('0');
  expect(await alice.ok('until nsdir logs run | grep begun; do sleep 0.05; done')).toBe('begun');
  expect(await alice.ok('nsdir run run -- ps -o user= -p 1')).toBe('root');
  expect(await bob.sh('nsdir run run -- id')).toMatchObject({
    ...{ status: 125, stdout: '' },
    stderr: `nsdir run: run belongs to ${alice.name}: only he and root run commands in it`,
  });
  expect((await bob.sh('nsdir logs run')).status).not.toBe(0);
  await alice.ok('rm -rf run');
});

it('lets its owner freeze, signal, rename, stop and remove it, also what has other ids in it', async () => {
  const five = 'setpriv --reuid=5 --regid=5 --clear-groups';
  await alice.ok(`nsdir run -d all -- ${five} sleep 1000`);
  expect(await alice.ok('until grep -q sleep /proc/$(tail -n 1 all/.procs)/comm; do sleep 0.02; done; echo y')).toBe(
    'y',
  );
  const [, pid = 0] = (await tree.ok('cat all/.procs')).split('\n').map(Number);
  expect(status(pid, 'Uid')?.split('\t')[0]).not.toBe(String(alice.uid));
  expect(await alice.ok('echo frozen > all/.state; cat all/.state; echo running > all/.state; cat all/.state')).toBe(
    'frozen\nrunning',
  );
  await alice.ok('mv all other; echo TERM > other/.signal; until [ -e other/.exit ]; do sleep 0.02; done');
  expect(await alice.ok('cat other/.state other/.exit')).toBe('stopped\n143');
  await alice.ok('echo running > other/.state; echo stopped > other/.state; rm -rf other');
  expect(await alice.ok('ls')).toBe('');
});

it('lets containers of the same owner nest, made outside and inside, in one user namespace', async () => {
  await alice.ok('mkdir -p out/job; echo running > out/.state; echo running > out/job/.state');
  await alice.ok(`nsdir run out -- sh -c 'mkdir ${tree.dir}/in; echo running > ${tree.dir}/in/.state'`);
  const inits = [await initOf(tree, 'out'), await initOf(tree, 'out/job'), await initOf(tree, 'out/in')];
  expect(new Set(inits.map((pid) => readlinkSync(`/proc/${pid}/ns/user`))).size).toBe(1);
  expect(new Set(inits.map((pid) => readlinkSync(`/proc/${pid}/ns/pid`))).size).toBe(3);
  for (const pid of inits) expect(status(pid, 'Uid')).toBe(Array(4).fill(alice.uid).join('\t'));
  expect(await tree.ok('stat -c "%u %g" out/in')).toBe(`${alice.uid} ${alice.uid}`);
  expect(await alice.ok('nsdir run out/in -- sh -c "hostname; id -u; ps -o pid= -p 1"')).toMatch(/^in\n0\n +1$/);
  expect((await tree.nsdir('checkpoint', '--check', 'out/job')).stderr).toMatch(/user namespace/);
  await alice.ok('rm -rf out');
  expect(inits.map(isAlive)).toEqual([false, false, false]);
});

it('starts it for root as its owner, and as root when it is root’s', async () => {
  await alice.ok('mkdir given');
  await tree.ok('echo running > given/.state');
  expect(status(await initOf(tree, 'given'), 'Uid')).toBe(Array(4).fill(alice.uid).join('\t'));
  await tree.ok('rm -rf given');
  await alice.ok('mkdir given');
  await tree.ok('chown root given; echo running > given/.state');
  expect(status(await initOf(tree, 'given'), 'Uid')).toBe('0\t0\t0\t0');
  await tree.ok('rm -rf given');
});

it('has a process of the owner enter, and one of root, who is then its root and not looked into', async () => {
  await alice.ok('mkdir deep; echo running > deep/.state');
  expect(await alice.ok('nsdir enter deep -- sh -c "hostname; id -u"')).toBe('deep\n0');
  expect(await alice.ok(`sleep 100 & ln -s ${tree.dir}/deep .proxy/$!; grep -c . deep/.procs; kill $!`)).toBe('2');
  const { stdout } = await tree.nsdir('enter', 'deep', '--', 'sh', '-c', 'id -u; grep ^Groups /proc/self/status');
  expect(stdout.trim()).toBe('0\nGroups:');
  const pid = tree.background('setpriv', '--groups=4,27', 'sleep', '1000').pid ?? 0;
  await tree.ok(
    `until grep -q '^Groups:.4 27' /proc/${pid}/status && grep -q sleep /proc/${pid}/comm; do sleep 0.02; done`,
  );
  await tree.ok(`ln -s ${tree.dir}/deep .proxy/${pid}`);
  expect(status(pid, 'Uid')).toBe(Array(4).fill(alice.uid).join('\t'));
  expect(status(pid, 'Gid')).toBe(Array(4).fill(alice.uid).join('\t'));
  expect(status(pid, 'Groups')).toBe('');
  for (const file of ['environ', 'mem', 'fd/0']) {
    expect((await alice.sh(`head -c 1 /proc/${pid}/${file}`)).stderr, file).toMatch(/Permission denied/);
  }
  expect((await bob.sh(`ln -s ${tree.dir}/deep .proxy/$$`)).status).not.toBe(0);
  await alice.ok('rm -rf deep');
  expect(isAlive(pid)).toBe(false);
});

it('is the same container for the next daemon', async () => {
  await alice.ok('nsdir run -d kept -- sleep 1000');
  const init = await initOf(tree, 'kept');
  await tree.killDaemon();
  expect(await alice.ok('nsdir run kept -- id -u; cat kept/.state')).toBe('0\nrunning');
  expect(await initOf(tree, 'kept')).toBe(init);
  await alice.ok('rm -rf kept');
});

it('tells a user who mounted a tree that he would unmount', async () => {
  expect(await alice.sh(`nsdir umount ${tree.dir}`)).toMatchObject({
    status: 1,
    stderr: `nsdir umount: ${tree.dir} was mounted by root; sudo nsdir umount ${tree.dir}`,
  });
  expect((await alice.sh(`nsdir doctor ${tree.dir}`)).stdout).toContain(`daemon    of root, who mounted ${tree.dir}`);
});
