import { describe, expect, test } from 'vitest';
import { make } from '../../../src/container/make.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

describe('make', () => {
  test('makes a node of the caller, and nothing runs', () => {
    using machine = new FakeMachine();
    const { root } = machine.store.registry;
    const web = make(machine, root, 'web', 0o40750, machine.request({ uid: 1000, gid: 100 }));
    expect(web).toMatchObject({ name: 'web', parent: root, mode: 0o750, uid: 1000, gid: 100, phase: 'declared' });
    expect([machine.starts, machine.files.existsSync(machine.cgroupOf(web))]).toEqual([[], false]);
    expect(machine.happened).toEqual(['created web']);
  });

  test('in a set-gid directory takes its group, and hands it down', () => {
    using machine = new FakeMachine();
    const { root } = machine.store.registry;
    const outer = make(machine, root, 'outer', 0o2755, machine.request({ uid: 1, gid: 50 }));
    const web = make(machine, outer, 'web', 0o700, machine.request({ uid: 1000, gid: 100 }));
    expect(web).toMatchObject({ mode: 0o2700, uid: 1000, gid: 50 });
  });

  test('EEXIST for a name that is there', () => {
    using machine = new FakeMachine();
    machine.container('web');
    expect(() => make(machine, machine.store.registry.root, 'web', 0o755, machine.request())).toThrow(
      expect.objectContaining({ errno: 'EEXIST' }),
    );
  });

  test('EINVAL and ENAMETOOLONG make nothing', () => {
    using machine = new FakeMachine();
    const { root } = machine.store.registry;
    const cases = [
      ['.web', 'EINVAL'],
      ['a\nb', 'EINVAL'],
      ['x'.repeat(256), 'ENAMETOOLONG'],
    ] as const;
    for (const [name, errno] of cases) {
      expect(() => make(machine, root, name, 0o755, machine.request())).toThrow(expect.objectContaining({ errno }));
    }
    expect([machine.store.registry.size, machine.happened]).toEqual([1, []]);
  });

  test('is done once for a request that is sent again, to this daemon or the next', () => {
    using machine = new FakeMachine();
    const request = machine.request();
    const { serial } = make(machine, machine.store.registry.root, 'web', 0o755, request);
    for (const daemon of [machine, machine.nextDaemon()]) {
      const { root } = daemon.store.registry;
      expect(make(daemon, root, 'web', 0o755, { ...request, resent: true }).serial).toBe(serial);
      expect(root.children.size).toBe(1);
    }
  });

  test('a request sent again that was not done yet is done', () => {
    using machine = new FakeMachine();
    const web = make(machine, machine.store.registry.root, 'web', 0o755, machine.request({ resent: true }));
    expect(web.name).toBe('web');
  });

  test('EEXIST for a request sent again, when somebody else made it', () => {
    using machine = new FakeMachine();
    machine.container('web');
    const again = machine.request({ resent: true });
    expect(() => make(machine, machine.store.registry.root, 'web', 0o755, again)).toThrow(
      expect.objectContaining({ errno: 'EEXIST' }),
    );
  });
});
