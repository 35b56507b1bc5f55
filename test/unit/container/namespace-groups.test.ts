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
  readonly proc = procTree();
  #next = 100;

  constructor() {
    for (const directory of [WEB, JOB]) this.proc.volume.mkdirSync(directory, { recursive: true });
    setNamespace(this.proc.volume, 'self', 'pid', MACHINE.inode);
    this.groups = new NamespaceGroups(BASE, this.kernel, this.proc.files);
    this.init(WEB, OF_WEB);
    this.init(JOB, OF_JOB);
    this.groups.placedBy({ inits: () => this.inits, entered: () => this.entered });
    this.kernel.onSignal = (pid) => {
      this.end(checkedPid(pid));
    };
  }

  process(namespace: FakeNamespace): Pid {
    const pid = checkedPid(this.#next++);
    addProcess(this.proc.volume, { pid, ns: { pid: namespace.inode }, cgroup: '0::/user.slice\n' });
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
    this.proc.volume.rmSync(`/proc/${pid}`, { recursive: true });
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
    // Nor is he killed with all containers.
    it.groups.writeFileSync(`${BASE}/cgroup.kill`, '1');
    expect([...it.kernel.processes]).toEqual([guest]);
  });

  test('forgets who entered and ended, whose pid another one may have', () => {
    const it = new World();
    const other = it.process(MACHINE);
    it.join(other, WEB);
    it.end(other);
    expect(it.processes(WEB)).toEqual([it.inits[0]?.pid]);
    expect(() => {
      it.join(other, WEB);
    }).toThrow('ESRCH');
  });

  test('counts who entered while a former daemon was there, and not who has his pid now', () => {
    const it = new World();
    const [guest, other] = [it.process(MACHINE), it.process(MACHINE)];
    it.entered.push({ pid: guest, startTime: 100 + guest, directory: WEB });
    it.entered.push({ pid: other, startTime: 1, directory: WEB });
    it.groups.placedBy({ inits: () => it.inits, entered: () => it.entered });
    expect(it.cgroupOf(guest)).toBe('0::/containers/1/own\n');
    expect(it.cgroupOf(other)).toBe('0::/\n');
    expect(it.processes(WEB)).toEqual([it.inits[0]?.pid, guest]);
    // Also when no container has an init any more.
    it.inits.length = 0;
    expect(it.processes(WEB)).toEqual([guest]);
  });

  test('forgets those that ended when another one enters', () => {
    const it = new World();
    const [first, second] = [it.process(MACHINE), it.process(MACHINE)];
    it.join(first, JOB);
    it.end(first);
    it.join(second, WEB);
    it.groups.writeFileSync(`${JOB}/cgroup.kill`, '1');
    const asked = it.kernel.calls.filter(([method]) => method === 'pidfdOpen').map(([, pid]) => pid);
    expect(asked).toEqual([it.inits[1]?.pid]);
  });

  test('does not take a pid that is used again for an init', () => {
    const it = new World();
    const now = it.process(MACHINE);
    it.inits.push({ pid: now, startTime: 1, directory: WEB });
    expect(it.cgroupOf(it.process(MACHINE))).toBe('0::/\n');
    expect(it.processes(WEB)).toEqual([it.inits[0]?.pid]);
  });

  test('shows nobody whose process is a zombie, or gone meanwhile', () => {
    const it = new World();
    const [zombie, gone] = [it.process(OF_WEB), it.process(OF_WEB)];
    addProcess(it.proc.volume, { pid: zombie, state: 'Z', ns: { pid: OF_WEB.inode } });
    it.end(gone);
    expect(it.processes(WEB)).toEqual([it.inits[0]?.pid]);
    expect(() => it.cgroupOf(gone)).toThrow('ENOENT');
  });

  test('gives up on a process whose namespaces cannot be opened, and on no other fault', () => {
    const it = new World();
    const hidden = it.process({ inode: 50, parent: OF_WEB });
    it.kernel.namespaces.delete(`${hidden}/pid`);
    expect(it.cgroupOf(hidden)).toBe('0::/\n');
    it.kernel.openNamespace = () => {
      throw new TypeError('a bug');
    };
    expect(() => it.cgroupOf(hidden)).toThrow(TypeError);
  });

  test('asks for as many levels of pid namespaces as the kernel lets there be', () => {
    const it = new World();
    const nested = (levels: number) => {
      let namespace = OF_WEB;
      for (let level = 0; level < levels; level++) namespace = { inode: 1000 + level, parent: namespace };
      return it.cgroupOf(it.process(namespace));
    };
    expect([nested(31), nested(32)]).toEqual(['0::/containers/1/own\n', '0::/\n']);
    expect(it.kernel.openFds).toEqual([]);
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
    expect(() => {
      it.groups.writeFileSync(`${BASE}/none/cgroup.kill`, '1');
    }).toThrow('ENOENT');
    expect(() => it.groups.readFileSync(`${WEB}/pids.max`, 'utf8')).toThrow('ENOENT');
    expect(it.groups.readFileSync(`${WEB}/cgroup.threads`, 'utf8')).toBe(`${it.inits[0]?.pid}\n`);
    expect(it.groups.readFileSync(`${WEB}/cgroup.events`, 'utf8')).toBe('populated 1\nfrozen 0\n');
    expect(it.groups.hierarchy).toMatchObject({ layout: 'none', canKill: true, canFreeze: false });
    const process = it.process(MACHINE);
    it.proc.volume.writeFileSync(`/proc/${process}/cgroup.old`, 'older');
    expect(it.groups.readFileSync(`/proc/${process}/stat`, 'utf8')).toContain('(sh)');
    expect(it.groups.readFileSync(`/proc/${process}/cgroup.old`, 'utf8')).toBe('older');
  });

  test('leaves all files outside of its own directory as they are', () => {
    const it = new World();
    const elsewhere = `${BASE}-of-others`;
    const { volume } = it.proc;
    volume.mkdirSync(`${elsewhere}/x`, { recursive: true });
    it.init(`${elsewhere}/x`, MACHINE);
    for (const name of ['cgroup.procs', 'cgroup.kill']) {
      expect(it.groups.existsSync(`${elsewhere}/x/${name}`)).toBe(false);
      it.groups.writeFileSync(`${elsewhere}/x/${name}`, 'as it is');
      expect(it.groups.readFileSync(`${elsewhere}/x/${name}`, 'utf8')).toBe('as it is');
      expect(it.groups.existsSync(`${elsewhere}/x/${name}`)).toBe(true);
      volume.unlinkSync(`${elsewhere}/x/${name}`);
    }
    it.groups.rmdirSync(`${elsewhere}/x`);
    expect(volume.existsSync(`${elsewhere}/x`)).toBe(false);
  });

  test('takes 1/20 for no part of 1/2', () => {
    const it = new World();
    const far = `${BASE}/containers/1/20/own`;
    it.proc.volume.mkdirSync(far, { recursive: true });
    const init = it.init(far, { inode: 60, parent: OF_WEB });
    it.groups.writeFileSync(`${BASE}/containers/1/2/cgroup.kill`, '1');
    expect(it.kernel.processes.has(init)).toBe(true);
    expect(it.populated(`${BASE}/containers/1/2`)).toBe(false);
  });
});
