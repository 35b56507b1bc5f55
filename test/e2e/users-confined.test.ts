import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { initOf, processesOf } from '../support/containers.ts';
import { isAlive, mounted, type Mounted } from '../support/mounted.ts';
import { usersOf, type TreeUser, type TreeUsers } from '../support/tree-users.ts';

/** In no passwd file. */
const NOBODYS_UID = 54_321;

let tree: Mounted;
let made: TreeUsers;
let alice: TreeUser;
let bob: TreeUser;
beforeAll(async () => {
  tree = await mounted();
  made = await usersOf(tree, 2, { commands: true });
  [alice, bob] = made.users as [TreeUser, TreeUser];
  await tree.ok('chmod 1777 .');
  await alice.ok('mkdir runs; echo running > runs/.state');
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  await made[Symbol.asyncDispose]();
});

/** What .error of `name` says after a script that must fail; nothing more runs than before. */
async function refused(script: () => Promise<{ status: number }>, name: string): Promise<string> {
  const before = processesOf(tree);
  expect((await script()).status).not.toBe(0);
  expect(processesOf(tree)).toEqual(before);
  return await tree.ok(`cat ${name}/.error`);
}

const start = (name: string) => `/bin/echo running > ${name}/.state`;

it('lets nobody start a container of another, or of root', async () => {
  await tree.ok('mkdir roots; chmod 777 roots');
  await alice.ok('mkdir mine; chmod 777 mine');
  for (const name of ['roots', 'mine']) {
    const { status, stderr } = await bob.sh(start(name));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/Permission denied|cannot create/);
  }
  expect(await refused(() => bob.sh(`ln -s ${tree.dir}/mine .proxy/self`), 'mine')).toMatch(/^EPERM: .*owner is uid/);
});

it('starts nothing of root’s, nor of another user’s, among processes of a user', async () => {
  await tree.ok('mkdir runs/roots');
  await tree.ok(`mkdir runs/bobs; chown ${bob.uid}:${bob.uid} runs/bobs`);
  expect(await refused(() => tree.sh(start('runs/roots')), 'runs/roots')).toMatch(
    /^EPERM: .*owner is uid 0, and it is in "runs", which runs with a user namespace of uid/,
  );
  expect(await refused(() => bob.sh(start('runs/bobs')), 'runs/bobs')).toMatch(
    /^EPERM: .*only containers of that owner/,
  );
  expect(await refused(() => tree.sh(start('runs/bobs')), 'runs/bobs')).toMatch(/^EPERM/);
});

it('starts no container of a user’s subordinate id, or of one that passwd does not know', async () => {
  await alice.ok(`nsdir run runs -- chmod 777 ${tree.dir}`);
  await alice.ok(`nsdir run runs -- setpriv --reuid=5 --regid=5 --clear-groups mkdir ${tree.dir}/five`);
  expect(await refused(() => tree.sh(start('runs/five')), 'runs/five')).toMatch(
    /^EPERM: .*only containers of that owner/,
  );
  await tree.as(NOBODYS_UID, 'mkdir nobodys');
  expect(await refused(() => tree.as(NOBODYS_UID, start('nobodys')), 'nobodys')).toMatch(
    /^EPERM: .*no entry in passwd/,
  );
});

it('has root’s runtime touch no bundle of a user', async () => {
  await alice.ok('mkdir bundled; ln -s /tmp bundled/.bundle');
  for (const who of [alice, tree]) {
    expect(await refused(() => who.sh(start('bundled')), 'bundled')).toMatch(/^EPERM: .*runtime needs root/);
  }
});

it('shows no files to who was kept from them by a root directory or a mount namespace', async () => {
  await alice.ok('mkdir boxed');
  const attempts = [
    `unshare --user --map-root-user --mount sh -c '${start('boxed')}'`,
    `python3 -c 'import ctypes, os; f = os.open("boxed/.state", os.O_WRONLY | os.O_CREAT); ` +
      `ctypes.CDLL(None).unshare(0x10000000); os.chroot("/usr"); os.write(f, b"running")'`,
  ];
  for (const attempt of attempts) {
    expect(await refused(() => alice.sh(attempt), 'boxed')).toMatch(
      /^EPERM: .*another root directory or mount namespace/,
    );
  }
  await alice.ok('rm -rf boxed');
});

it('maps the group that passwd says, not that of a set-gid directory, nor that of the writer', async () => {
  await tree.ok('mkdir shared; chgrp 4 shared; chmod 3777 shared');
  await alice.ok('mkdir shared/s; echo running > shared/s/.state');
  const init = await initOf(tree, 'shared/s');
  expect(await tree.ok(`stat -c %g shared/s; head -n 1 /proc/${init}/gid_map | tr -s ' '`)).toBe(
    `4\n 0 ${alice.uid} 1`,
  );
  await alice.ok('rm -rf shared/s');
});

it('does not let groups be dropped where nobody gave any, as newgidmap does it', async () => {
  await tree.ok(`usermod --del-subuids 0-4294967294 --del-subgids 0-4294967294 ${bob.name}`);
  await bob.ok('mkdir alone; echo running > alone/.state');
  const init = await initOf(tree, 'alone');
  expect(await tree.ok(`cat /proc/${init}/uid_map /proc/${init}/gid_map /proc/${init}/setgroups | tr -s ' '`)).toBe(
    ` 0 ${bob.uid} 1\n 0 ${bob.uid} 1\ndeny`,
  );
  await bob.ok('rm -rf alone');
});

it('takes no command from a program with more rights whose output somebody led to a control entry', async () => {
  await tree.ok('echo running > runs/.state'); // of root's own descriptor

  const dir = path.join(alice.home, 'setuid');
  mkdirSync(dir);
  copyFileSync('/bin/echo', path.join(dir, 'echo'));
  chmodSync(path.join(dir, 'echo'), 0o4755);
  expect(await refused(() => alice.sh(`${dir}/echo 0 > runs/.procs`), 'runs')).toMatch(/^EPERM: .*opened it/);
  expect(await refused(() => alice.sh(`${dir}/echo 0 >> runs/.procs`), 'runs')).toMatch(/^EPERM: .*opened it/);
  // Nor after the death of the daemon that knew who did.
  const led = alice.sh(`exec 3> runs/.procs; : > ~/opened; until [ -e ~/go ]; do sleep 0.05; done; ${dir}/echo 0 >&3`);
  await tree.ok(`until [ -e ${alice.home}/opened ]; do sleep 0.05; done; rm -f runs/.error`);
  await tree.killDaemon();
  await alice.ok('touch ~/go');
  expect(await refused(() => led, 'runs')).toMatch(/^EPERM: .*opened it/);
});

it('gives its root no power over the machine, its limits or its program', async () => {
  const inside = async (script: string) => (await alice.sh(`nsdir run runs -- sh -c '${script}'`)).stdout;
  const cgroup = await tree.ok('readlink runs/.cgroup');
  const attempts = [
    'cat /etc/shadow',
    'head -c 1 /var/lib/nsdir/*/nsdir-init; ls /var/lib/nsdir',
    'mkdir /tmp/nsdir-cg.$$; mount -t cgroup2 none /tmp/nsdir-cg.$$ && mkdir /tmp/nsdir-cg.$$/x',
    `mkdir ${cgroup}/own/x`,
    `echo 1 > ${cgroup}/cgroup.max.descendants`,
    'echo x >> /proc/1/exe',
    'prlimit --nproc=unlimited true && prlimit --pid 1 --nproc=unlimited',
    'echo 1 > /proc/sys/kernel/panic',
    'mknod /tmp/nsdir-disk.$$ b 8 0',
    'hostname x && exit 1; umount /sys',
  ];
  for (const attempt of attempts) {
    const printed = await inside(`(${attempt}) > /dev/null 2>&1; echo $?; rmdir /tmp/nsdir-cg.$$ 2> /dev/null`);
    expect(printed, attempt).toMatch(/^[1-9]/);
  }
  const init = await initOf(tree, 'runs');
  expect(isAlive(init)).toBe(true);
  // What is mounted inside is seen nowhere else.
  expect(await inside('mount -t tmpfs none /mnt && touch /mnt/nsdir-inside; ls /mnt')).toBe('nsdir-inside');
  expect(await tree.ok('ls -A /mnt')).not.toContain('nsdir-inside');
});
