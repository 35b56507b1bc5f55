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

  test('keeps nothing of what the errno tells, of a bug, or of a container that is gone', () => {
    using machine = new FakeMachine();
    const web = machine.container('web');
    recordRefusal(machine, web, new FsError('ENOTEMPTY', 'it has entries'), ['ENOTEMPTY']);
    recordRefusal(machine, web, new TypeError('bug'));
    expect(web.error).toBeUndefined();
    machine.store.commit([{ op: 'drop', serial: web.serial, at: web.ctime }]);
    recordRefusal(machine, web, new FsError('EPERM', 'no'));
    expect(web.error).toBeUndefined();
  });
});
