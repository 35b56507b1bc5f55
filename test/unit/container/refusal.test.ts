import { describe, expect, test } from 'vitest';
import { recordRefusal } from '../../../src/container/refusal.ts';
import { FsError } from '../../../src/errno.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

describe('recordRefusal', () => {
  test('keeps errno and reason in one line', () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    recordRefusal(machine, web, new FsError('EBUSY', 'it runs;\n\twrite stopped'));
    expect(web.error).toBe('EBUSY: it runs; write stopped');
  });

  test('keeps no more than a long line', () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    recordRefusal(machine, web, new FsError('EBUSY', 'x'.repeat(100_000)));
    expect(web.error).toHaveLength(1000);
  });

  test('names the errno once', () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    recordRefusal(machine, web, new FsError('EPERM', 'Cannot start "web": pivot_root: EPERM'));
    expect(web.error).toBe('EPERM: Cannot start "web": pivot_root');
    recordRefusal(machine, web, new FsError('EIO', 'Cannot start "web": pivot_root: EPERM'));
    expect(web.error).toBe('EIO: Cannot start "web": pivot_root: EPERM');
  });

  test('keeps the last one', () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    for (const why of ['first', 'second']) recordRefusal(machine, web, new FsError('EPERM', why));
    expect(web.error).toBe('EPERM: second');
  });

  test('says who asked if that is neither the owner nor root, also behind a long line', () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    machine.store.commit([{ op: 'attr', serial: web.serial, uid: 1001, at: web.ctime }]);
    const after = (uid: number, text = 'no') => {
      recordRefusal(machine, web, new FsError('EPERM', text), { uid });
      return web.error;
    };
    expect([after(1001), after(0)]).toEqual(['EPERM: no', 'EPERM: no']);
    expect(after(1002)).toBe('EPERM: no (asked by uid 1002)');
    expect(after(1002, 'x'.repeat(2000))).toMatch(/^EPERM: x{970,980} \(asked by uid 1002\)$/);
    expect(web.error).toHaveLength(1000);
  });

  test('keeps nothing of what the errno tells, of a bug, or of a container that is gone', () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    recordRefusal(machine, web, new FsError('ENOTEMPTY', 'it has entries'), undefined, ['ENOTEMPTY']);
    recordRefusal(machine, web, new TypeError('bug'));
    expect(web.error).toBeUndefined();
    machine.store.commit([{ op: 'drop', serial: web.serial, at: web.ctime }]);
    recordRefusal(machine, web, new FsError('EPERM', 'no'));
    expect(web.error).toBeUndefined();
  });
});
