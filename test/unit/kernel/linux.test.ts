import { readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PID_MAX, pid } from '../../../src/ids.ts';
import { linuxKernel } from '../../../src/kernel/linux.ts';

/** The one unit test that asks the running kernel: about this very process only. */
describe('linuxKernel', () => {
  const kernel = linuxKernel();
  const self = pid(process.pid);

  test('holds a process and checks that it lives', () => {
    const pidfd = kernel.pidfdOpen(self);
    expect(readlinkSync(`/proc/self/fd/${pidfd}`)).toContain('pidfd');
    kernel.pidfdSendSignal(pidfd, 0);
    kernel.close(pidfd);
    expect(() => {
      kernel.pidfdSendSignal(pidfd, 0);
    }).toThrow(expect.objectContaining({ errno: 'EBADF' }));
  });

  test('ESRCH for a process there cannot be', () => {
    expect(() => kernel.pidfdOpen(pid(PID_MAX))).toThrow(expect.objectContaining({ errno: 'ESRCH' }));
  });

  test('knows how long a process ran, and nothing of one there cannot be', () => {
    const before = kernel.processTime(self) ?? NaN;
    const { user, system } = process.cpuUsage();
    for (let turn = 0; turn < 1e6; turn++) Math.sqrt(turn);
    const after = kernel.processTime(self) ?? NaN;
    expect(after).toBeGreaterThan(before);
    // Microseconds there; to the tick of the kernel here.
    expect(Math.abs(before / 1e3 - user - system)).toBeLessThan(50_000);
    expect(kernel.processTime(pid(PID_MAX))).toBeUndefined();
  });

  test('knows a namespace by its inode number', () => {
    const fd = kernel.openNamespace(self, 'net');
    expect(readlinkSync('/proc/self/ns/net')).toBe(`net:[${kernel.namespaceInode(fd)}]`);
    expect(['bigint', 'undefined']).toContain(typeof kernel.namespaceId(fd));
    kernel.close(fd);
  });

  test('shows no parent of its own pid namespace', () => {
    const fd = kernel.openNamespace(self, 'pid');
    expect(kernel.namespaceParent(fd)).toBeUndefined();
    kernel.close(fd);
  });

  test('EINVAL for the parent of a namespace that has none by nature', () => {
    const fd = kernel.openNamespace(self, 'net');
    expect(() => kernel.namespaceParent(fd)).toThrow(expect.objectContaining({ errno: 'EINVAL' }));
    kernel.close(fd);
  });

  test('ENOENT for a namespace that is not there', () => {
    expect(() => kernel.openNamespace(self, 'nonsense')).toThrow(expect.objectContaining({ errno: 'ENOENT' }));
  });
});
