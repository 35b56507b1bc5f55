import { chmodSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, mounted, type Mounted, type Outcome } from '../support/mounted.ts';
import { lives, pinned, signal } from '../support/pinned.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/pam-session', import.meta.url));

/** A user without privileges, made by useradd(8). */
const USER = `nsdir-pam-${process.pid}`;

let dir: string;

beforeAll(async () => {
  dir = mkdtempSync('/tmp/nsdir-pam-');
  await execa('chmod', ['755', dir]);
  await execa('useradd', ['--create-home', '--home-dir', path.join(dir, 'home'), '--shell', '/bin/sh', USER]);
});

afterAll(async () => {
  await execa('userdel', ['--force', USER]);
  rmSync(dir, { recursive: true, force: true });
});

/** A command that runs `su USER -c SCRIPT` with a stack of PAM in which `scripts/pam-session` is; nobody else has that stack. */
function su(
  tree: Mounted,
  script: string,
  { control = 'required', kinds = '', more = '', before = '', session = SCRIPT } = {},
): string[] {
  writeFileSync(
    path.join(dir, 'su'),
    [
      'auth sufficient pam_permit.so',
      'account required pam_permit.so',
      `session ${control} pam_exec.so seteuid log=${dir}/log ${session} ${tree.dir} ${kinds}`,
      `session required pam_permit.so\n${more}`,
    ].join('\n'),
  );
  writeFileSync(path.join(dir, 'script'), script);
  const inside = `mount --bind ${dir}/su /etc/pam.d/su && exec ${before} su ${USER} -c "exec sh ${dir}/script"`;
  return ['unshare', '--mount', 'sh', '-c', inside];
}

async function loggedIn(tree: Mounted, script: string, options = {}): Promise<Outcome> {
  // So that the user can get there.
  chmodSync(path.dirname(tree.dir), 0o711);
  const [command = '', ...args] = su(tree, script, options);
  const result = await execa(command, args, { reject: false, timeout: 20_000, killSignal: 'SIGKILL' });
  return { status: result.exitCode ?? 255, stdout: result.stdout, stderr: result.stderr };
}

function gone(tree: Mounted): Promise<void> {
  return eventually(async () => (await tree.ok(`ls ${USER}`)) === '', 'no container of a login is left');
}

/** The log of pam_exec, where the reasons are. */
function reasons(): string {
  return readFileSync(path.join(dir, 'log'), 'utf8');
}

it('lands in a container of its own below the user’s, and the exit status comes through', async () => {
  await using tree = await mounted();
  const { status, stdout } = await loggedIn(
    tree,
    `id -un; hostname; readlink ${tree.dir}/.self; ps -e | grep -c .; exit 5`,
  );
  expect(status).toBe(5);
  const [user, host, self, processes] = stdout.split('\n');
  expect([user, self]).toEqual([USER, '.']);
  expect(host).toMatch(/^su-\d+$/);
  expect(Number(processes)).toBeLessThan(9);
  await gone(tree);
  expect((await tree.sh(`stat ${USER}/${host ?? ''}`)).status).toBe(1);
  expect(await tree.ok(`cut -f 2- .events | grep ${host ?? ''} | head -n 3`)).toBe(
    ['created', 'started', 'entered'].map((event) => `${event}\t${USER}/${host ?? ''}`).join('\n'),
  );
});

it('ends with what the login has left running, though that has a session of its own', async () => {
  await using tree = await mounted();
  const seconds = 100_000 + process.pid;
  const { stdout } = await loggedIn(
    tree,
    `setsid sleep ${seconds} > /dev/null 2>&1 & echo; sleep 0.2; ls -d ${tree.dir}/.init`,
  );
  expect(stdout).toContain('.init');
  await gone(tree);
  expect(await tree.sh(`pgrep -fx 'sleep ${seconds}'`)).toMatchObject({ status: 1, stdout: '' });
});

it('is left by an ordinary user who becomes another one, through a program that is setuid', async () => {
  await using tree = await mounted();
  const before = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
  const { status, stdout } = await loggedIn(tree, `id -un; readlink ${tree.dir}/.self; kill -9 $$`, { before });
  expect(stdout.split('\n')).toEqual([USER, '.']);
  expect(status).toBe(137);
  await gone(tree);
});

it('has directories of its own by pam_namespace inside, where it keeps the pids of outside', async () => {
  await using tree = await mounted();
  const conf = `/etc/security/namespace.d/${USER}.conf`;
  await execa('mkdir', ['-p', '-m', '000', path.join(dir, 'instances')]);
  writeFileSync(conf, `/var/tmp ${dir}/instances/ user ~${USER}\n`);
  try {
    const more = 'session required pam_namespace.so\n';
    const made = await loggedIn(tree, '> /var/tmp/mine; hostname; ls /var/tmp', { more, kinds: 'mnt,uts,ipc,cgroup' });
    const { status, stdout } = made;
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^su-\d+\nmine$/) as string });
  } finally {
    rmSync(conf);
  }
  await gone(tree);
});

it('goes with a login that is killed, and with one that ends while no daemon looks', async () => {
  await using tree = await mounted();
  for (const meanwhile of [() => Promise.resolve(), () => tree.killDaemon()]) {
    const [command = '', ...args] = su(tree, 'exec sleep 1000');
    const login = tree.background(command, ...args);
    const inside = () => tree.ok(`cat ${USER}/su-*/.procs`);
    await eventually(async () => (await inside()).split('\n').length === 3, 'init, login and shell are in');
    const leader = await tree.ok('ls .proxy');
    const init = (await tree.ok(`readlink ${USER}/su-*/.init`)).replace('/proc/', '');
    const shell = pinned(Number((await inside()).split('\n').find((pid) => ![leader, init].includes(pid))));
    await meanwhile();
    signal(pinned(Number(leader)), 'SIGKILL');
    await gone(tree);
    await eventually(() => login.signalCode !== null && !lives(shell), 'all of it has ended');
  }
});

/** The script as pam_exec runs it, by a shell that then goes on with `script`. */
function opened(tree: Mounted, variables: string, script = 'hostname', kinds = ''): Promise<Outcome> {
  const given = `PAM_TYPE=open_session PAM_SERVICE=su PAM_USER=${USER} ${variables}`;
  return tree.sh(`env ${given} ${SCRIPT} ${tree.dir} ${kinds} || exit; ${script}`);
}

it('calls it after the terminal, or by a number where there is none, or that name is taken', async () => {
  await using tree = await mounted();
  await tree.ok(`mkdir -p ${USER}/su-pts9`);
  const given = [
    ['PAM_TTY=/dev/pts/7', /^su-pts7$/],
    ['PAM_TTY=pts/8 PAM_SERVICE=sshd', /^sshd-pts8$/],
    ['PAM_TTY=/dev/tty1 PAM_SERVICE=login', /^login-tty1$/],
    ['PAM_TTY=tty2', /^su-tty2$/],
    ['PAM_TTY=ssh PAM_SERVICE=sshd', /^sshd-\d+$/],
    ['PAM_TTY=pts/9', /^su-\d+$/],
  ] as const;
  for (const [variables, name] of given) {
    expect(await opened(tree, variables)).toEqual({
      ...{ status: 0, stdout: expect.stringMatching(name) as string },
      stderr: expect.stringMatching(/^$|File exists/) as string,
    });
  }
  await eventually(async () => (await tree.ok(`ls ${USER}`)) === 'su-pts9', 'no container of a login is left');
});

it('makes nothing at the end of a session, for another kind of line, or for a user whose name is none', async () => {
  await using tree = await mounted();
  expect((await opened(tree, 'PAM_TYPE=close_session', ':')).status).toBe(0);
  const refused = [
    ['PAM_TYPE=auth', /is for session lines/],
    ["PAM_USER=''", /no container for a user/],
    ['PAM_USER=..', /no container for a user/],
    ['PAM_USER=.proxy', /no container for a user/],
    ['PAM_USER=a/b', /no container for a user/],
  ] as const;
  for (const [variables, why] of refused) {
    expect(await opened(tree, variables)).toMatchObject({
      ...{ status: 1, stdout: '' },
      stderr: expect.stringMatching(why) as string,
    });
  }
  expect(await tree.ok(`ls; ls ..`)).toBe(path.basename(tree.dir));
});

it('lands below a container that is the user’s own', async () => {
  await using tree = await mounted();
  await tree.ok(`mkdir ${USER}; chown ${USER} ${USER}`);
  expect(await opened(tree, 'PAM_TTY=pts/7')).toMatchObject({ status: 0, stdout: 'su-pts7' });
});

it('lets nobody land in a user namespace, where he could not become who he is', async () => {
  await using tree = await mounted();
  expect(await opened(tree, 'PAM_TTY=pts/7', 'hostname', '+user')).toMatchObject({
    ...{ status: 1, stdout: '' },
    stderr: expect.stringContaining(`${USER} is in a user namespace`) as string,
  });
  expect(await tree.ok(`ls ${USER}`)).toBe('');
});

it('is not waited for where the tree does not answer, and does nothing more when it does', async () => {
  await using tree = await mounted();
  await tree.ok(`mkdir ${USER}`);
  const out = path.join(dir, 'unanswered');
  const session = `env PAM_TYPE=open_session PAM_SERVICE=su PAM_USER=${USER} PAM_TTY=pts/7 ${SCRIPT} ${tree.dir}`;
  const leader = tree.background(
    'sh',
    '-c',
    `cd /; until [ -e ${out} ]; do sleep 0.05; done; ${session} 2>> ${out}; echo $? >> ${out}; exec sleep 1000`,
  );
  await eventually(() => readlinkSync(`/proc/${leader.pid}/cwd`) === '/', 'it is ready, and not in the tree');
  signal(tree.daemon(), 'SIGSTOP');
  try {
    writeFileSync(out, '');
    await eventually(() => /^\d+$/m.test(readFileSync(out, 'utf8')), 'it gives up', 19_000);
  } finally {
    signal(tree.daemon(), 'SIGCONT');
  }
  expect(readFileSync(out, 'utf8')).toBe(`pam-session: ${tree.dir} does not answer\n1\n`);
  await eventually(
    () => tree.ok(`cut -f 2- .events`).then((text) => text.includes(`removed\t${USER}/su-pts7`)),
    'it is done',
  );
  expect(await tree.ok(`ls ${USER} .proxy`)).toBe('.proxy:\n\n' + `${USER}:`);
  expect(readlinkSync(`/proc/${leader.pid}/ns/uts`)).toBe(readlinkSync('/proc/self/ns/uts'));
});

it('keeps nobody out where there is no tree, and says why', async () => {
  await using tree = await mounted();
  const name = path.basename(tree.dir);
  await tree.nsdir('umount', '--kill', tree.dir);
  expect(await loggedIn(tree, 'hostname; exit 3', { control: 'optional' })).toMatchObject({ status: 3 });
  expect(reasons().match(/^.*no tree is mounted.*$/m)?.[0]).toBe(`pam-session: no tree is mounted at ${tree.dir}`);
  expect((await loggedIn(tree, 'hostname', { control: 'required' })).status).toBe(1);
  expect(await execa('ls', ['-A', path.dirname(tree.dir)])).toMatchObject({ stdout: name });
  await tree.nsdir('mount', tree.dir);
});

it('leaves no container behind of a login that may not enter one', async () => {
  await using tree = await mounted();
  await tree.ok(`mkdir ${USER}; chown 65534 ${USER}`);
  expect(await loggedIn(tree, 'exit 4', { control: 'optional' })).toMatchObject({ status: 4 });
  expect(reasons()).toContain(`is neither root's nor ${USER}'s`);
  await tree.ok(`chown root ${USER}; echo running > ${USER}/.state; echo frozen > ${USER}/.state`);
  expect(await loggedIn(tree, 'exit 4', { control: 'optional' })).toMatchObject({ status: 4 });
  expect(reasons()).toContain('is frozen');
  expect(await tree.ok(`ls ${USER}`)).toBe('');
});

it('lands in what was made for it, though the user renames that and puts another in its place', async () => {
  await using tree = await mounted();
  const session = path.join(dir, 'session');
  const meanwhile = 'mv "$place" "$place-away" && mkdir "$place" && echo running >"$place/.state"';
  const text = readFileSync(SCRIPT, 'utf8').replace('&& enter_place;', `&& ${meanwhile} && enter_place;`);
  expect(text).toContain(meanwhile);
  writeFileSync(session, text, { mode: 0o755 });
  expect(await loggedIn(tree, 'exit 6', { session })).toMatchObject({ status: 6 });
  const entered = await tree.ok('cut -f 2- .events | grep ^entered');
  expect(entered).toMatch(new RegExp(`^entered\t${USER}/su-\\d+-away$`));
  await eventually(
    async () => /^su-\d+$/.test(await tree.ok(`ls ${USER}`)),
    'what it landed in is gone, and nothing else',
  );
});

it('lands below a container of the user’s that runs, and dies with that', async () => {
  await using tree = await mounted();
  await tree.ok(`mkdir ${USER}; echo running > ${USER}/.state`);
  const [command = '', ...args] = su(tree, 'exec sleep 1000');
  const login = tree.background(command, ...args);
  await eventually(async () => (await tree.ok(`cat ${USER}/su-*/.procs`)).split('\n').length === 3, 'it is in');
  await tree.ok(`rm -rf ${USER}`);
  await eventually(() => login.exitCode !== null || login.signalCode !== null, 'the login has ended');
  expect(await tree.ok('ls')).toBe('');
});
