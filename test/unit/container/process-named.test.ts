import { describe, expect, test, vi } from 'vitest';
import { processAmong, processNamed } from '../../../src/container/process-named.ts';
import { pid, type Pid } from '../../../src/ids.ts';
import { ProxyDirectory } from '../../../src/tree/proxy-directory.ts';
import type { FakeNamespace } from '../../support/fake-kernel.ts';
import { FakeMachine, OWN_NAMESPACES } from '../../support/fake-machine.ts';
import { errnoOf } from '../../support/fake-tree.ts';

const ROOT: FakeNamespace = { inode: OWN_NAMESPACES.pid };
const JAIL: FakeNamespace = { inode: 77, parent: ROOT };
const ALICE = 1001;

/** A machine on which somebody looks from a pid namespace that was not made here, with many processes beside. */
class Jailed extends FakeMachine {
  readonly reader: Pid;
  readonly other: Pid;

  constructor() {
    super();
    this.cgroupfs.volume.symlinkSync(`pid:[${ROOT.inode}]`, '/proc/self/ns/pid');
    this.reader = this.#jailed(1);
    for (let count = 0; count < 50; count++) this.#place(this.spawn(this.cgroupBase), ROOT);
    this.other = this.#jailed(2);
  }

  /** Whose status was looked at, besides the reader's own. */
  looks(): () => number {
    const spy = vi.spyOn(this.files, 'readFileSync');
    return () => new Set(spy.mock.calls.map(([file]) => file)).size;
  }

  #jailed(inside: number): Pid {
    const number = 5000 + inside;
    const ns = { ...OWN_NAMESPACES, pid: JAIL.inode };
    return this.#place(this.spawn(this.cgroupBase, { pid: number, nsPids: [number, inside], ns }), JAIL);
  }

  #place(process: Pid, namespace: FakeNamespace): Pid {
    this.kernel.namespaces.set(`${process}/pid`, namespace);
    return process;
  }
}

describe('processNamed', () => {
  test('finds a process by its pid in the namespace of who asks', async () => {
    using machine = new Jailed();
    const caller = { pid: machine.reader, uid: ALICE };
    expect(await processNamed(machine, caller, '2')).toBe(machine.other);
    expect(await processNamed(machine, caller, 'self')).toBe(machine.reader);
    expect(await errnoOf(() => processNamed(machine, caller, '3'))).toBe('ESRCH');
    expect(await errnoOf(() => processNamed(machine, caller, 'x'))).toBe('ESRCH');
  });

  test('has one user wait for his own searches, not for those of others, and refuses very many', async () => {
    using machine = new Jailed();
    const search = (uid: number) => errnoOf(() => processNamed(machine, { pid: machine.reader, uid }, '2'));
    const hers = Array.from({ length: 70 }, () => search(ALICE));
    const his = search(1002);
    const answers = await Promise.all(hers);
    expect([answers.filter((each) => each === 'OK').length, answers.at(-1), await his]).toEqual([64, 'EAGAIN', 'OK']);
    expect(await search(ALICE)).toBe('OK');
  });
});

test('processAmong looks at nobody but those', async () => {
  using machine = new Jailed();
  const count = machine.looks();
  const few = [{ pid: machine.other }, { pid: machine.reader }];
  expect(await processAmong(machine, machine.reader, '1', few)).toEqual({ pid: machine.reader });
  expect(await processAmong(machine, machine.reader, '3', few)).toBeUndefined();
  expect(await processAmong(machine, pid(1000), '5002', few)).toEqual({ pid: machine.other });
  expect(count()).toBeLessThan(10);
});

test('a name in .proxy that no process has is looked for among those that entered alone', async () => {
  using machine = new Jailed();
  const { root } = machine.store.registry;
  const proxy = new ProxyDirectory(machine);
  const request = machine.request({ pid: machine.reader, uid: ALICE });
  const count = machine.looks();
  expect(await errnoOf(() => proxy.lookup(request, root, '9'))).toBe('ENOENT');
  expect(count()).toBeLessThan(10);
  vi.restoreAllMocks();
  const web = machine.container('web');
  const entered = { op: 'enter', serial: web.serial, pid: machine.other, startTime: 100 + machine.other } as const;
  machine.store.commit([{ ...entered, by: 'symlink', begun: false }]);
  expect((await proxy.lookup(request, root, '2')).attr.size).toBeGreaterThan(0);
});
