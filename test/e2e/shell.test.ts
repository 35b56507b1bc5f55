import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/mounted.ts';
import { ordinaryUser, type OrdinaryUser } from '../support/ordinary-user.ts';

const TERMINAL = new URL('../support/terminal.py', import.meta.url).pathname;

let user: OrdinaryUser;

beforeAll(async () => {
  user = await ordinaryUser();
});

afterAll(async () => {
  await user[Symbol.asyncDispose]();
});

/** Processes of the user and of his subordinate ids. */
async function processesOf(): Promise<string> {
  const { stdout: ranges } = await execa('sh', ['-c', `grep ^${user.name}: /etc/subuid || echo ::`]);
  const first = ranges.split(':')[1] ?? '';
  const { stdout, stderr } = await execa('ps', ['-o', 'args=', '-u', [user.name, first].filter(Boolean).join(',')], {
    reject: false,
  });
  // Its status is that of a list that is empty, too.
  if (stderr !== '') throw new Error(stderr);
  return stdout;
}

async function allGone(): Promise<void> {
  await eventually(async () => (await processesOf()) === '', 'no process of it is left');
}

it('is told of by doctor', async () => {
  expect((await user.sh('nsdir doctor')).stdout).toMatch(/^ok +private machine +nsdir shell$/m);
});

it('makes a user root of a machine with a tree of its own, whose containers are made, run, entered and removed', async () => {
  const shown = await user.ok(`nsdir shell -- sh -ec '
    id -u; cd /namespaces; ls; mount | grep -c "^nsdir on /namespaces type fuse.nsdir"
    nsdir run web -- sh -c "id -u; hostname; ls /namespaces"
    nsdir run -d job -- sh -c "echo begun; exec sleep 1000"
    until nsdir logs job | grep begun; do sleep 0.05; done
    nsdir enter job -- hostname
    sh -c "ln -s /namespaces/job .proxy/\\$\\$; hostname"
    mkdir job/inner; echo running > job/inner/.state; cat job/inner/.state
    mv job task; unshare --uts sleep 1000 & until ls /namespaces | grep unnamed; do sleep 0.05; done
    cd /namespaces; rm -rf task; ls -d web task || :
  ' 2>&1`);
  expect(shown.split('\n')).toEqual([
    ...['0', '1', '0', 'web', 'begun', 'job', 'job', 'running', 'unnamed1'],
    ...["ls: cannot access 'task': No such file or directory", 'web'],
  ]);
  await allGone();
});

it('is the machine in all else: its files, and what its root may do is not what he may', async () => {
  const shown = await user
    .ok(
      `nsdir shell -- sh -c 'pwd; > mine; ls -A; cat /etc/shadow 2>&1; rm /etc/hostname 2>&1; hostname x 2>&1'; ls mine; id -un`,
    )
    .catch(String);
  expect(shown).toContain(`${user.home}\n`);
  expect(shown).toMatch(/shadow: Permission denied[^]*hostname[^]*(Permission denied|Operation not permitted)/);
  expect(shown.split('\n').slice(-2)).toEqual(['mine', user.name]);
});

it('has a root directory with what is in that of the machine, a fresh /run, and nothing of how it was made', async () => {
  const list = 'find / -mindepth 1 -maxdepth 1 -printf "%y %f %l\\n" | sort';
  const ours = (text: string) => text.split('\n').filter((line) => !/ (namespaces|run|\.nsdir) $/.test(line));
  const [inside, outside] = [await user.ok(`nsdir shell -- sh -c '${list}'`), await user.ok(list)];
  expect(ours(inside)).toEqual(ours(outside));
  expect(inside).toMatch(/^d \.nsdir $[^]*^d namespaces $[^]*^d run $/m);
  expect(
    await user.ok(`nsdir shell -- sh -c 'ls -A /run | grep -vx mount; env | grep ^NSDIR_ | grep -vc ^NSDIR_T; :'`),
  ).toBe('nsdir\n0');
});

it('is 125 with the reason where there can be none', async () => {
  const without = (script: string) =>
    `unshare --user --map-root-user --mount sh -ec '${script}; exec nsdir shell -- id'`;
  const unmade = await user.sh(without('echo 0 > /proc/sys/user/max_user_namespaces'));
  expect(unmade).toEqual({
    status: 125,
    stdout: '',
    stderr: expect.stringMatching(/^nsdir: cannot make a user namespace: /) as string,
  });
  const unmounted = await user.sh(without('mount --bind /dev/null /dev/fuse'));
  expect(unmounted).toEqual({ status: 125, stdout: '', stderr: expect.stringMatching(/^nsdir shell: /) as string });
});

it('exits as the command does', async () => {
  const statuses = [];
  for (const script of ['exit 7', 'kill -TERM $$', 'kill -9 $$', '/nonesuch'])
    statuses.push((await user.sh(`nsdir shell -- sh -c '${script}'`)).status);
  expect(statuses).toEqual([7, 143, 137, 127]);
});

it('ends with its command, or when it is killed, and all that was started in it', async () => {
  const start = 'nsdir run -d web -- sleep 1000; setsid sleep 1000 & echo up';
  await user.ok(`nsdir shell -- sh -c '${start}' > out; grep up out`);
  await allGone();
  for (const signal of ['TERM', 'KILL']) {
    const status = await user.ok(
      `nsdir shell -- sh -c '${start}; exec sleep 1000' > out 2>&1 & until grep -q up out; do sleep 0.05; done
       kill -${signal} $!; wait $! 2> /dev/null; echo $?`,
    );
    expect(status).toBe(signal === 'TERM' ? '143' : '137');
    await allGone();
  }
});

it('gives a shell with job control on the terminal it is called from', async () => {
  copyFileSync(TERMINAL, path.join(user.home, 'terminal.py'));
  const lines = [
    'tty; id -u; echo ready-$((1+1))|ready-2',
    'sleep 1000; echo left-$((6*7))|',
    '\u001a|left-42',
    'jobs; exit 9|',
  ];
  const shown = await user.ok(`SHELL=/bin/bash python3 terminal.py '${JSON.stringify(lines)}' nsdir shell 2>&1`);
  expect(shown).toMatch(/\/dev\/pts\/\d+\s+0\s[^]*Stopped +sleep 1000[^]*status 9$/);
  expect(shown).not.toContain('no job control');
});

it('passes on once what a terminal sends to all', async () => {
  const counter =
    'import signal, time; got = []; signal.signal(signal.SIGINT, lambda *_: got.append(1)); ' +
    'print("up", flush=True); time.sleep(2); print("got", len(got))';
  copyFileSync(TERMINAL, path.join(user.home, 'terminal.py'));
  const shown = await user.ok(
    `python3 terminal.py '${JSON.stringify(['|up', '\u0003|got'])}' nsdir shell -- python3 -c '${counter}' 2>&1`,
  );
  expect(shown).toMatch(/up[^]*got 1\s[^]*status 0$/);
});

it('has the ids that the user was given, and goes without those he was not', async () => {
  const other = 'setpriv --reuid=5 --regid=5 --clear-groups id -u';
  expect(await user.ok(`nsdir shell -- sh -c '${other}; nsdir run web -- ${other}'`)).toBe('5\n5');
  await execa('sed', ['-i', `/^${user.name}:/d`, '/etc/subuid', '/etc/subgid']);
  expect(await user.sh(`nsdir shell -- ${other}`)).toMatchObject({ status: 127 });
  expect(await user.ok('nsdir shell -- nsdir run web -- id -u')).toBe('0');
});
