import { Volume } from 'memfs';
import { vi } from 'vitest';
import type { Identity } from '../../src/discovery/identity.ts';
import { keyOf } from '../../src/discovery/key.ts';
import { Observer } from '../../src/discovery/observer.ts';
import type { FileAccess } from '../../src/files.ts';
import { ROOT_SERIAL, type Pid } from '../../src/ids.ts';
import { addProcess, type FakeProcess } from './proc-tree.ts';

const MACHINE = {
  ...{ mnt: 1, uts: 2, ipc: 3, net: 4, pid: 5, pid_for_children: 5 },
  ...{ user: 6, cgroup: 7, time: 8, time_for_children: 8 },
};
/** A machine whose processes come and go; `pass` lets the observer look. */
export function machine() {
  const volume = new Volume();
  let last = 1;
  let tasks = 0;
  volume.mkdirSync('/proc', { recursive: true });
  const note = () => {
    volume.writeFileSync('/proc/loadavg', `0 0 0 1/${tasks} ${last}\n`);
  };
  const add = (process: FakeProcess) => {
    addProcess(volume, { ...process, ns: { ...MACHINE, ...process.ns } });
    volume.writeFileSync(`/proc/${process.pid}/cgroup`, '0::/\n');
    last = Math.max(last, process.pid);
    tasks += 1;
    note();
  };
  const remove = (pid: number) => {
    volume.rmSync(`/proc/${pid}`, { recursive: true });
    tasks -= 1;
    note();
  };
  add({ pid: 1, ppid: 0 });
  const files = volume as unknown as FileAccess;
  const links = Object.keys(MACHINE).filter((name) => name !== 'pid' && name !== 'time');
  const key = keyOf(
    links.map((name) => String(MACHINE[name as keyof typeof MACHINE])),
    { pid: 1, startTime: 101 },
  );
  const steady = new Set<number>();
  /** Who is in it ran until then, in nanoseconds; the others run all the time. */
  const asleep = new Map<number, number>();
  /** Unique numbers of a process's namespaces, where the kernel tells them. */
  const identities = new Map<number, Identity>();
  const observer = new Observer({
    ...{ files, machine: key, root: ROOT_SERIAL },
    isSteady: ({ pid }) => steady.has(pid),
    timeOf: (pid) => asleep.get(pid),
    identityOf: (pid) => identities.get(pid) ?? [],
  });
  let nowMs = 1000;
  const pass = async (ms = 100) => {
    nowMs += ms;
    await observer.round(nowMs);
  };
  const setOf = (pid: number) => observer.sets.member(pid as Pid)?.set;
  // A clock of the test's own: what was looked at before an event, and what after it, is clear however fast that was.
  let clockNs = process.hrtime.bigint();
  vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => (clockNs += 1_000n));
  /** An event of this moment: one was born, or a mark. */
  const tell = (pid?: number, child?: number) => {
    clockNs += 10_000_000n;
    const atSec = Number(clockNs) / 1e9;
    clockNs += 10_000_000n;
    const born = { kind: 'born', pid: pid ?? 0, child: child ?? 0, fresh: 0, thread: false, atSec } as const;
    observer.hear(pid === undefined ? { kind: 'mark', atSec } : born, nowMs);
  };
  /** Process `pid` makes a UTS namespace of its own. */
  const change = (pid: number) => {
    for (const kind of ['changing', 'changed'] as const) {
      clockNs += 10_000_000n;
      const done = kind === 'changed' ? { kind, done: true } : { kind, fresh: 0x0400_0000, joins: false };
      observer.hear({ pid, atSec: Number(clockNs) / 1e9, ...done }, nowMs);
      clockNs += 10_000_000n;
    }
  };
  return {
    tell,
    change,
    volume,
    add,
    remove,
    observer,
    steady,
    asleep,
    identities,
    pass,
    setOf,
    survey: () => observer.survey(nowMs),
    now: () => nowMs,
  };
}
