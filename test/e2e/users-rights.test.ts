import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadKoffi } from '../../src/kernel/load-koffi.ts';
import { runFiles } from '../../src/instance.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { usersOf, type TreeUser, type TreeUsers } from '../support/tree-users.ts';

/** What root has when he mounts the tree, as one who has logged in. */
const GROUPS = [4, 27];
/** Numbers of keyctl(2) and add_key(2), and their words (linux/keyctl.h). */
const KEYCTL = process.arch === 'arm64' ? 219 : 250;
const ADD_KEY = process.arch === 'arm64' ? 217 : 248;
const JOIN_SESSION = 1;
const SEARCH = 10;
const OF_SESSION = -3;
const KEY = `nsdir-test-${process.pid}`;

let tree: Mounted;
let made: TreeUsers;
let alice: TreeUser;
beforeAll(async () => {
  process.setgroups?.(GROUPS);
  const libc = loadKoffi().load(null);
  const join = libc.func('long syscall(long, long, void *)');
  expect(join(KEYCTL, JOIN_SESSION, null)).toBeGreaterThan(0);
  const add = libc.func('long syscall(long, const char *, const char *, const char *, size_t, int)');
  expect(add(ADD_KEY, 'user', KEY, 'secret', 6, OF_SESSION)).toBeGreaterThan(0);
  tree = await mounted();
  made = await usersOf(tree, 1, { commands: true });
  [alice] = made.users as [TreeUser];
  await tree.ok('chmod 1777 .');
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  await made[Symbol.asyncDispose]();
});

const launcher = () => Number(readFileSync(runFiles(tree.instance).launcherPid, 'utf8'));
const status = (pid: number, key: string) =>
  new RegExp(`^${key}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

it('leaves the groups of who mounted outside', async () => {
  expect(status(launcher(), 'Groups')).toBe(GROUPS.join(' '));
  expect(await alice.ok('nsdir run groups -- grep ^Groups: /proc/self/status /proc/1/status')).toMatch(
    /^.*Groups:\s*\n.*Groups:\s*$/,
  );
  await alice.ok('rm -rf groups');
});

it('leaves the keys of who mounted outside', async () => {
  const search = `import ctypes; print(ctypes.CDLL(None).syscall(${KEYCTL}, ${SEARCH}, ${OF_SESSION}, b"user", b"${KEY}", 0) > 0)`;
  expect(await alice.ok(`python3 -c '${search}'`)).toBe('True'); // she was made a child of who has them
  expect(await alice.ok(`nsdir run keys -- python3 -c '${search}'`)).toBe('False');
  expect(await alice.ok(`nsdir run keys/in -- python3 -c '${search}'`)).toBe('False');
  await alice.ok('rm -rf keys');
});

it('gives all rights in its user namespace, and such settings of rights as any process has', async () => {
  const last = Number(await tree.ok('cat /proc/sys/kernel/cap_last_cap'));
  const all = ((1n << BigInt(last + 1)) - 1n).toString(16).padStart(16, '0');
  const asked = 'sed -nE "s/^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs):.(.*)/\\1 \\3/p" /proc/self/status';
  const securebits = 'python3 -c "import ctypes; print(ctypes.CDLL(None).prctl(27))"';
  for (const name of ['rights', 'rights/in']) {
    expect(await alice.ok(`nsdir run ${name} -- sh -c '${asked}; ${securebits}'`)).toBe(
      `CapPrm ${all}\nCapEff ${all}\nCapBnd ${all}\nCapAmb ${'0'.repeat(16)}\nNoNewPrivs 0\n0`,
    );
  }
  await alice.ok('rm -rf rights');
});

it('makes files his, in one container and in the one inside', async () => {
  await alice.ok('mkdir -p files/in; echo running > files/.state; echo running > files/in/.state');
  for (const name of ['files', 'files/in']) {
    await alice.ok(`nsdir run ${name} -- sh -c 'umask; > ~/made; mkdir ~/dir'`);
    expect(await tree.ok(`stat -c '%u %g %a' ${alice.home}/made ${alice.home}/dir`)).toBe(
      `${alice.uid} ${alice.uid} 644\n${alice.uid} ${alice.uid} 755`,
    );
    await alice.ok('rm -r ~/made ~/dir');
  }
  await alice.ok('rm -rf files');
});

it('lets him see nothing of the launcher in its child before that is executed anew', async () => {
  const file = path.join(alice.home, 'traced');
  const held = ['-e', 'trace=execveat', '-e', 'inject=execveat:delay_enter=3s'];
  tree.background('strace', '-f', '-p', String(launcher()), ...held, '-o', file);
  await eventually(() => status(launcher(), 'TracerPid') !== '0', 'strace holds the launcher');
  const started = alice.ok('mkdir held; echo running > held/.state');
  const child = () => Number(/^(\d+) +execveat/m.exec(existsSync(file) ? readFileSync(file, 'utf8') : '')?.[1] ?? 0);
  await eventually(() => child() > 0, 'its child is about to execute the program');
  for (const what of ['environ', 'mem', 'fd/0']) {
    expect((await alice.sh(`head -c 1 /proc/${child()}/${what}`)).stderr, what).toContain('Permission denied');
  }
  expect(status(child(), 'Uid')).toBe(Array(4).fill(alice.uid).join('\t'));
  await started;
  await alice.ok('rm -rf held');
});
