import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { connectionName } from '../../mount/device/fusectl.ts';
import type { Commit } from '../../src/container/change.ts';
import { runFiles } from '../../src/instance.ts';
import { Journal } from '../../src/journal/journal.ts';
import { initOf } from '../support/containers.ts';
import { eventually, isAlive, mounted, type Mounted } from '../support/mounted.ts';
import { pinned, signal } from '../support/pinned.ts';

/*
 * What a daemon leaves that is killed while a process enters: the journal says `begun`, and the process has come however
 * far. The journal is written as that daemon would have, since no kill hits the moment for certain.
 */

const KINDS = ['mnt', 'uts', 'ipc', 'pid_for_children', 'cgroup'];

/** Mounted, with `web` that runs, and somebody outside it. */
async function world() {
  const tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const outsider = pinned(tree.background('sleep', '1000').pid);
  const init = await initOf(tree, 'web');
  const isIn = () => KINDS.every((kind) => namespaceOf(outsider.pid, kind) === namespaceOf(init, kind));
  const isMember = () => cgroupOf(outsider.pid) === cgroupOf(init);
  return { tree, outsider, isIn, isMember, [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose]() };
}

function namespaceOf(pid: number, kind: string): string {
  return readlinkSync(`/proc/${pid}/ns/${kind}`);
}

function cgroupOf(pid: number): string | undefined {
  return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
}

/** The daemon dies having written down that the process is about to enter `web`, and the next one serves. */
async function dieBegun(tree: Mounted, { pid, startTime }: ReturnType<typeof pinned>): Promise<void> {
  signal(tree.daemon(), 'SIGSTOP');
  const { journal, entries } = Journal.open<Commit>(runFiles(tree.instance).journal);
  const made = entries.flatMap(({ changes }) => changes).find((change) => change.op === 'make');
  if (!made) throw new Error('the journal does not tell of web');
  const { serial } = made;
  journal.append({ changes: [{ op: 'enter', serial, pid, startTime, by: 'symlink', begun: true }] });
  journal.close();
  await tree.killDaemon();
}

function lastOfJournal({ instance }: Mounted): string {
  return readFileSync(runFiles(instance).journal, 'utf8').trimEnd().split('\n').at(-1) ?? '';
}

it('is finished by the next daemon, of a process that was not touched yet', async () => {
  await using it = await world();
  await dieBegun(it.tree, it.outsider);
  await eventually(() => it.isIn() && it.isMember(), 'it is inside');
  await eventually(async () => (await it.tree.ok('ls .proxy')) === String(it.outsider.pid), 'it is listed');
  expect(await it.tree.ok('tail -n 1 .events')).toMatch(/\tentered\tweb$/);
});

it('is finished, of one that has the cgroup only', async () => {
  await using it = await world();
  writeFileSync(`${it.tree.cgroup()}/1/own/cgroup.procs`, String(it.outsider.pid));
  await dieBegun(it.tree, it.outsider);
  await eventually(it.isIn, 'it is inside');
  expect(it.isMember()).toBe(true);
});

it('is noted, of one that is inside', async () => {
  await using it = await world();
  await it.tree.ok(`ln -s ../web .proxy/${it.outsider.pid}`);
  await dieBegun(it.tree, it.outsider);
  await eventually(() => /"op":"enter".*"begun":false/.test(lastOfJournal(it.tree)), 'it is written down');
  expect([await it.tree.ok('ls .proxy'), it.isIn()]).toEqual([String(it.outsider.pid), true]);
});

it('is dropped, of one that is gone, or whose container is', async () => {
  await using it = await world();
  const gone = pinned(it.tree.background('sleep', '1000').pid);
  signal(gone, 'SIGKILL');
  await eventually(() => !isAlive(gone.pid), 'it is gone');
  await dieBegun(it.tree, gone);
  await eventually(async () => (await it.tree.sh('cat web/.error')).stdout.startsWith('ESRCH'), 'that is said');
  await it.tree.ok('echo stopped > web/.state');
  await dieBegun(it.tree, it.outsider);
  await eventually(async () => (await it.tree.sh('cat web/.error')).stdout.startsWith('EBUSY'), 'that is said');
  expect([await it.tree.ok('ls .proxy'), cgroupOf(it.outsider.pid)]).toEqual(['', cgroupOf(process.pid)]);
});

/** The tracer that waits for the next process, stopped: what it is told it does later. */
async function stoppedTracer(tree: Mounted): Promise<ReturnType<typeof pinned>> {
  await tree.ok(`ln -s ../web .proxy/${tree.background('sleep', '1000').pid ?? 0}`);
  const daemon = tree.daemonPid();
  const commandOf = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  const children = readFileSync(`/proc/${daemon}/task/${daemon}/children`, 'utf8').trim().split(' ');
  const all =
    children.length > 0 && children[0] !== '' ? children : readdirSync('/proc').filter((name) => /^\d/.test(name));
  const found = pinned(Number(all.find((pid) => commandOf(pid).endsWith('\0tracer\0'))));
  signal(found, 'SIGSTOP');
  return found;
}

/** Looks in a row at a request that waits, after which it is the one that a stopped tracer keeps waiting. */
const WAITING_LOOKS = 5;

/** Whether the daemon owes an answer to anybody; the caller himself is answered before he is stopped. */
function isAsked(tree: Mounted): boolean {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.includes(` ${tree.dir} `));
  const connection = connectionName(mount?.split(' ')[2] ?? '');
  const waiting = readFileSync(`/sys/fs/fuse/connections/${connection}/waiting`, 'utf8');
  return waiting !== '0\n' || lastOfJournal(tree).includes('"begun":true');
}

/** Prints the name of the host it is on, when that is web, or after a while. */
const CALLER = `import os, time
os.symlink('../web', '.proxy/self')
for _ in range(500):
    if os.uname().nodename == 'web': break
    time.sleep(0.01)
print(os.uname().nodename)`;

it.each<[string, (tree: Mounted, pid: number) => Promise<string>]>([
  ['another process', (tree, pid) => tree.ok(`ln -s ../web .proxy/${pid}; nsenter -u -t ${pid} hostname`)],
  ['the caller', (tree) => tree.ok('exec python3 -', { stdin: 'pipe', input: CALLER })],
])('loses no request for %s when the daemon is killed before the process is stopped', async (_, ask) => {
  await using it = await world();
  const tracer = await stoppedTracer(it.tree);
  const asked = ask(it.tree, it.outsider.pid);
  let looks = 0;
  await eventually(() => (looks = isAsked(it.tree) ? looks + 1 : 0) === WAITING_LOOKS, 'the request waits');
  await it.tree.killDaemon();
  expect(await asked).toBe('web');
  signal(tracer, 'SIGCONT');
  await eventually(() => !isAlive(tracer.pid), 'the tracer ends');
  expect([isAlive(it.outsider.pid), await it.tree.ok('cat web/.state')]).toEqual([true, 'running']);
});
