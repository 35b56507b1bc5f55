import { expect, test } from 'vitest';
import { ALL, DEFAULT_MASK, OUTSIDE, SETNS, world, type EnteringWorld } from '../../support/entering-world.ts';

/** Of the machine (PROC_USER_INIT_INO, linux/nsfs.h). */
const INITIAL_USER = 0xeffffffd;

/** The asker is root of the machine: whom he may trace does not depend on who that is. */
async function asRoot(): Promise<EnteringWorld> {
  const made = await world();
  for (const pid of [made.asker, made.target, process.pid, made.web.init!.pid]) {
    if (pid !== process.pid) made.become(pid, 'user', INITIAL_USER);
    made.kernel.namespaces.set(`${pid}/user`, { inode: INITIAL_USER });
  }
  return made;
}

const maskOf = (it: EnteringWorld) => it.made.find(([number]) => number === SETNS)?.[2];

test('root has a process enter by one word to the tracer, which sees for itself that nothing has changed', async () => {
  using it = await asRoot();
  const looks: string[] = [];
  const read = it.files.readFileSync.bind(it.files);
  it.tracer.stopping = Promise.resolve().then(() => {
    Object.assign(it.files, {
      readFileSync: (...words: Parameters<typeof read>) => (looks.push(words[0]), read(...words)),
    });
  });
  it.tracer.isSo = () => true;
  expect(await it.asked(it.web)).toBe('entered');
  expect([it.tracer.did, it.made.length, maskOf(it)]).toEqual([['seize', 'stopped', 'run'], 4, DEFAULT_MASK]);
  expect(looks.filter((file) => file === `/proc/${it.target}/stat`)).toEqual([]);
  expect(it.cgroupOfTarget()).toBe(`${it.cgroupOf(it.web)}/own`);
  expect([...it.store.registry.entered.values()]).toMatchObject([{ pid: it.target, begun: false }]);
});

test('enters all the same where the tracer finds something changed that does not matter', async () => {
  using it = await asRoot();
  it.tracer.isSo = ({ how }) => how !== 'lines';
  expect(await it.asked(it.web)).toBe('entered');
  expect([it.tracer.did, it.tracer.released]).toEqual([['seize', 'stopped', 'run'], 1]);
});

test.each<[string, (it: EnteringWorld) => void, string]>([
  ['got a thread', (it) => it.spawn(OUTSIDE, { pid: it.target, threads: 2, tracerPid: it.tracer.pid }), 'ENOTSUP'],
  ['is another process', (it) => it.spawn(OUTSIDE, { pid: it.target, starttime: 9_999 }), 'ESRCH'],
  ['is in a container beside', (it) => it.spawn(it.container('other'), { pid: it.target }), 'EPERM'],
])('refuses, and touches nothing, where the process %s meanwhile', async (_, change, errno) => {
  using it = await asRoot();
  let before: string | undefined;
  it.tracer.onTraced = (_pid, tracer) => {
    if (tracer === 0) return;
    change(it);
    before = it.cgroupOfTarget();
  };
  expect(await it.asked(it.web)).toBe(errno);
  expect([it.made, it.cgroupOfTarget(), it.tracer.released]).toEqual([[], before, 1]);
});

test('is all or nothing', async () => {
  using it = await asRoot();
  it.tracer.answer = (number) => (number === SETNS ? -1n : 9n);
  expect(await it.asked(it.web)).toBe('EPERM');
  expect([it.cgroupOfTarget(), it.tracer.did.at(-1), it.tracer.released]).toEqual([OUTSIDE, 'end', 1]);
  expect(it.store.registry.entered.size).toBe(0);
});

test('goes by what an init of somebody else is in now', async () => {
  using it = await asRoot();
  it.web.bundle = '/bundle';
  expect(await it.asked(it.web)).toBe('entered');
  it.become(it.web.init!.pid, 'uts', 900);
  it.spawn(OUTSIDE, { pid: it.target, capPermitted: ALL, capEffective: ALL });
  for (const link of ['mnt', 'ipc', 'pid_for_children', 'cgroup']) {
    it.become(it.target, link, Number(/\d+/.exec(it.files.readlinkSync(`/proc/${it.web.init!.pid}/ns/${link}`))![0]));
  }
  it.become(it.target, 'uts', 101);
  it.become(it.target, 'user', INITIAL_USER);
  expect(await it.asked(it.web)).toBe('entered');
  expect(it.made.filter(([number]) => number === SETNS).map(([, , mask]) => mask)).toEqual([
    DEFAULT_MASK,
    0x0400_0000n,
  ]);
});
