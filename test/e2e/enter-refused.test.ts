import { hostname } from 'node:os';
import { existsSync, readFileSync, readlinkSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { namespace } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

/** All of a process that a refused enter could have changed. */
function portrait(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const fields = ['State', 'TracerPid', 'SigBlk', 'SigPnd', 'ShdPnd', 'SigIgn', 'SigCgt', 'Seccomp'];
  return {
    fields: fields.map((field) => new RegExp(`^${field}:.*$`, 'm').exec(status)?.[0].replace(/\(.*/, '')),
    namespaces: readdirSync(`/proc/${pid}/ns`).map((kind) => namespace(pid, kind)),
    places: ['root', 'cwd'].map((link) => readlinkSync(`/proc/${pid}/${link}`)),
    descriptors: readdirSync(`/proc/${pid}/fd`),
    cgroup: readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
    call: readFileSync(`/proc/${pid}/syscall`, 'utf8'),
  };
}

/** A process that stands still in Python, after `script`. */
async function standing(tree: Mounted, script: string): Promise<number> {
  const child = tree.background(
    'python3',
    '-c',
    `import os, sys, threading, time, ctypes, signal\n${script}\ntime.sleep(1000)`,
  );
  await eventually(() => isAsleep(child.pid!), 'it sleeps');
  return child.pid!;
}

/** In clock_nanosleep(2) on x86-64 and arm64, and not held at its entry by a tracer. */
function isAsleep(pid: number): boolean {
  const isInCall = /^(230|115) /.test(readFileSync(`/proc/${pid}/syscall`, 'utf8'));
  return isInCall && /^State:\s+S/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

async function expectRefused(tree: Mounted, pid: number, errno: string, reason: RegExp): Promise<void> {
  const before = portrait(pid);
  const { status, stderr } = await tree.sh(`ln -s ${tree.dir}/web .proxy/${pid}`);
  expect(status).toBe(1);
  expect(stderr).toContain(errno);
  expect(await tree.ok('cat web/.error')).toMatch(reason);
  expect((await tree.ok('cat web/.error')).split('\n')).toHaveLength(1);
  expect(portrait(pid)).toEqual(before);
  expect(await tree.ok('ls -A .proxy')).toBe('');
}

it('refuses a process with several threads, and leaves it as it was', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const pid = await standing(tree, 'threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()');
  await expectRefused(tree, pid, 'not supported', /^ENOTSUP: .*has 2 threads/);
});

it('refuses a process with a seccomp filter', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  // PR_SET_NO_NEW_PRIVS, then PR_SET_SECCOMP with a filter of one instruction: allow.
  const allow = `
class Line(ctypes.Structure): _fields_ = [('code', ctypes.c_ushort), ('t', ctypes.c_ubyte), ('f', ctypes.c_ubyte), ('k', ctypes.c_uint)]
class Program(ctypes.Structure): _fields_ = [('length', ctypes.c_ushort), ('lines', ctypes.POINTER(Line))]
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.byref(Program(1, ctypes.pointer(Line(6, 0, 0, 0x7fff0000)))), 0, 0) == 0`;
  await expectRefused(tree, await standing(tree, allow), 'not supported', /^ENOTSUP: .*seccomp filter/);
});

it('refuses a process that is traced already', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const pid = await standing(tree, '');
  const calls = path.join(path.dirname(tree.dir), 'calls');
  const tracer = tree.background('strace', '-p', String(pid), '-o', calls);
  // To seize wakes it: it stands still once it has gone back into its call, which strace then writes down.
  await eventually(() => existsSync(calls) && readFileSync(calls, 'utf8') !== '' && isAsleep(pid), 'it sleeps again');
  expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(new RegExp(`^TracerPid:\\s+${tracer.pid}$`, 'm'));
  await expectRefused(tree, pid, 'busy', /^EBUSY: .*is traced by process/);
});

it.each([
  ['what is no process', '4194304', 'No such process'],
  ['a kernel thread', '2', 'Operation not permitted'],
])('refuses %s', async (_, pid, errno) => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  expect(await tree.sh(`ln -s ${tree.dir}/web .proxy/${pid}`)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(errno) as string,
  });
});

it('refuses its own processes', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job; echo running > web/.state; echo running > web/job/.state');
  const init = await tree.ok('basename $(readlink web/.init)');
  const { launcherPid, supervisePid } = runFiles(tree.instance);
  const ours = [launcherPid, supervisePid].map((file) => readFileSync(file, 'utf8').trim());
  for (const pid of [tree.daemonPid(), ...ours]) {
    expect(await tree.sh(`ln -s ${tree.dir}/web/job .proxy/${pid}`)).toMatchObject({ status: 1 });
    expect(await tree.ok('cat web/job/.error')).toMatch(/^EPERM: .*is nsdir's own/);
  }
  for (const pid of [init]) {
    expect(await tree.sh(`ln -s ${tree.dir}/web/job .proxy/${pid}`)).toMatchObject({ status: 1 });
  }
  expect(await tree.ok('cat web/job/.error')).toMatch(/^EPERM: .*init of a container/);
});

it('refuses a thread of a process', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const pid = await standing(tree, 'threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()');
  const thread = readdirSync(`/proc/${pid}/task`).find((name) => name !== String(pid));
  expect(await tree.sh(`ln -s ${tree.dir}/web .proxy/${thread}`)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('No such process') as string,
  });
});

it.each([
  ['frozen', 'echo frozen > web/.state', /^EBUSY: .*"web" is frozen/],
  [
    'without an init',
    'kill -9 $(basename $(readlink web/.init)); while [ -e web/.init ]; do :; done; test ! -e web/.state || echo kept',
    /./,
  ],
])('refuses a container that is %s', async (what, script, reason) => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const pid = await standing(tree, '');
  await tree.ok(script);
  if (what === 'frozen') await expectRefused(tree, pid, 'busy', reason);
  // Nothing runs in it any more: it starts anew.
  else expect(await tree.sh(`ln -s ${tree.dir}/web .proxy/${pid}; hostname`)).toMatchObject({ status: 0 });
});

it.each(['/etc', 'nowhere', '../nowhere', '/namespaces-elsewhere/web', 'web/.stat'])(
  'refuses a link to %s',
  async (to) => {
    await using tree = await mounted();
    await tree.ok('mkdir web; echo running > web/.state');
    const pid = await standing(tree, '');
    const before = portrait(pid);
    expect(await tree.sh(`ln -s ${to} .proxy/${pid}`)).toMatchObject({ status: 1 });
    expect(portrait(pid)).toEqual(before);
  },
);

it.each(['', 'x', '-1', '1 2', '99999999999', 'self'])('refuses %j in .procs', async (text) => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  expect(await tree.sh(`printf %s '${text}' | dd of=web/.procs bs=100 2>&1`)).toMatchObject({
    status: text === '' ? 0 : 1,
  });
});

it('fails the very call of a process that asked for itself, and leaves it outside', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job; echo running > web/.state');
  // Before it calls, it is root, and may; in the tree it is found that the kernel does not let it.
  const script = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
class Header(ctypes.Structure): _fields_ = [('version', ctypes.c_uint), ('pid', ctypes.c_int)]
data = (ctypes.c_uint * 6)()
header = Header(0x20080522, 0)
libc.capget(ctypes.byref(header), data)
for at in (0, 1): data[at] &= ~(1 << 21)   # CAP_SYS_ADMIN
assert libc.capset(ctypes.byref(header), data) == 0
try:
    os.symlink('${tree.dir}/web', '${tree.dir}/.proxy/self')
    print('in')
except OSError as error:
    print(error.strerror, os.uname().nodename, open('/proc/self/cgroup').read().count('nsdir'))
`;
  expect(await tree.ok(`python3 -c "$SCRIPT"`, { env: { SCRIPT: script } })).toBe(
    `Operation not permitted ${hostname()} 0`,
  );
  expect(await tree.ok('cat web/.error')).toMatch(/^EPERM: .*CAP_SYS_ADMIN/);
});
