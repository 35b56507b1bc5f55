import { describe, expect, test } from 'vitest';
import { NamespaceGroups, type Placed } from '../../../src/container/namespace-groups.ts';
import { pid as checkedPid, type Pid } from '../../../src/ids.ts';
import { FakeKernel, type FakeNamespace } from '../../support/fake-kernel.ts';
import { addProcess, procTree, setNamespace } from '../../support/proc-tree.ts';

const BASE = '/groups';
const WEB = `${BASE}/containers/1/own`;
const JOB = `${BASE}/containers/1/2/own`;
const SIGKILL = 9;

const MACHINE: FakeNamespace = { inode: 5 };
const OF_WEB: FakeNamespace = { inode: 10, parent: MACHINE };
const OF_JOB: FakeNamespace = { inode: 20, parent: OF_WEB };

/** A user's machine with a container, and one in it, neither of which has a cgroup. */
class World {
  readonly kernel = new FakeKernel();
  readonly groups: NamespaceGroups;
  readonly inits: Placed[] = [];
  readonly entered: Placed[] = [];
  readonly #proc = procTree();
  #next = 100;

  constructor() {
    for (const directory of [WEB, JOB]) this.#proc.volume.mkdirSync(directory, { recursive: true });
    setNamespace(this.#proc.volume, 'self', 'pid', MACHINE.inode);
    this.groups = new NamespaceGroups(BASE, this.kernel, this.#proc.files);
    this.init(WEB, OF_WEB);
    this.init(JOB, OF_JOB);
    this.groups.placedBy({ inits: () => this.inits, entered: () => this.entered });
    this.kernel.onSignal = (pid) => {
      this.end(checkedPid(pid));
    };
  }

  process(namespace: FakeNamespace): Pid {
    const pid = checkedPid(this.#next++);
    addProcess(this.#proc.volume, { pid, ns: { pid: namespace.inode }, cgroup: '0::/user.slice\n' });
    this.kernel.processes.add(pid);
    this.kernel.namespaces.set(`${pid}/pid`, namespace);
    return pid;
  }

  init(directory: string, namespace: FakeNamespace): Pid {
    const pid = this.process(namespace);
    this.inits.push({ pid, startTime: 100 + pid, directory });
    return pid;
  }

  end(pid: Pid): void {
    this.#proc.volume.rmSync(`/proc/${pid}`, { recursive: true });
    this.kernel.processes.delete(pid);
  }

  processes(directory: string): number[] {
    const lines = this.groups.readFileSync(`${directory}/cgroup.procs`, 'utf8').split('\n').filter(Boolean);
    return lines.map(Number);
  }

  populated(directory: string): boolean {
    return this.groups.readFileSync(`${directory}/cgroup.events`, 'utf8').includes('populated 1');
  }

  cgroupOf(pid: Pid): string {
    return this.groups.readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  }

  join(pid: Pid, directory: string): void {
    this.groups.writeFileSync(`${directory}/cgroup.procs`, String(pid));
  }
}

describe('NamespaceGroups', () => {
  test('tells who is in a container by its pid namespace, each in the innermost alone', () => {
    const it = new World();
    const [web, job, outside] = [it.process(OF_WEB), it.process(OF_JOB), it.process(MACHINE)];
    expect(it.processes(WEB)).toEqual([it.inits[0]?.pid, web]);
    expect(it.processes(JOB)).toEqual([it.inits[1]?.pid, job]);
    expect(it.cgroupOf(job)).toBe('0::/containers/1/2/own\n');
    expect(it.cgroupOf(outside)).toBe('0::/\n');
    // Nothing had to be opened for that.
    expect(it.kernel.calls).toEqual([]);
  });

  test('counts a pid namespace that a process made by itself to the container around it', () => {
    const it = new World();
    const deeper = it.process({ inode: 31, parent: { inode: 30, parent: OF_WEB } });
    const foreign = it.process({ inode: 40, parent: MACHINE });
    expect(it.processes(WEB)).toContain(deeper);
    expect(it.cgroupOf(foreign)).toBe('0::/\n');
    expect(it.kernel.openFds).toEqual([]);
  });

  test('counts who entered where he entered, until he goes back or ends', () => {
    const it = new World();
    const [guest, other] = [it.process(MACHINE), it.process(MACHINE)];
    it.join(guest, WEB);
    it.join(other, WEB);
    expect(it.processes(WEB)).toEqual([it.inits[0]?.pid, guest, other]);
    it.join(guest, BASE);
    expect(it.cgroupOf(guest)).toBe('0::/\n');
    it.end(other);
    expect(it.processes(WEB)).toEqual([it.inits[0]?.pid]);
    expect(() => {
      it.join(other, WEB);
    }).toThrow('ESRCH');
  });

  test('does not take a pid that is used again for who entered', () => {
    const it = new World();
    const guest = it.process(MACHINE);
    it.entered.push({ pid: guest, startTime: 1, directory: WEB });
    it.groups.placedBy({ inits: () => it.inits, entered: () => it.entered });
    expect(it.cgroupOf(guest)).toBe('0::/\n');
  });

  test('kills inits and who entered, here and below, and nobody else', () => {
    const it = new World();
    const [guest, outside] = [it.process(MACHINE), it.process(MACHINE)];
    it.join(guest, JOB);
    it.groups.writeFileSync(`${BASE}/containers/1/cgroup.kill`, '1');
    const killed = it.kernel.calls.filter(([method]) => method === 'pidfdSendSignal').map(([, , signal]) => signal);
    expect(killed).toEqual([SIGKILL, SIGKILL, SIGKILL]);
    expect([...it.kernel.processes]).toEqual([outside]);
    expect(it.populated(`${BASE}/containers/1`)).toBe(false);
  });

  test('is populated, and not to be removed, while an init lives here or below', () => {
    const it = new World();
    it.end(it.inits[0]!.pid);
    expect([it.populated(WEB), it.populated(`${BASE}/containers/1`), it.populated(JOB)]).toEqual([false, true, true]);
    expect(() => {
      it.groups.rmdirSync(JOB);
    }).toThrow('EBUSY');
    it.end(it.inits[1]!.pid);
    it.groups.rmdirSync(JOB);
    expect(it.groups.existsSync(JOB)).toBe(false);
  });

  test('has cgroup.kill where there is a directory, no other knob, and all else as it is', () => {
    const it = new World();
    expect(
      [`${WEB}/cgroup.kill`, `${WEB}/cgroup.freeze`, `${BASE}/none/cgroup.kill`].map((file) =>
        it.groups.existsSync(file),
      ),
    ) //
      .toEqual([true, false, false]);
    expect(() => {
      it.groups.writeFileSync(`${WEB}/cgroup.freeze`, '1');
    }).toThrow('ENOENT');
    expect(() => it.processes(`${BASE}/none`)).toThrow('ENOENT');
    expect(it.groups.readFileSync(`/proc/${it.process(MACHINE)}/stat`, 'utf8')).toContain('(sh)');
  });
});
