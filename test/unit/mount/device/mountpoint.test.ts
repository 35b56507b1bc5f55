import { describe, expect, test } from 'vitest';
import { exitStatus, runBounded } from '../../../../mount/device/child.ts';
import { connectionName } from '../../../../mount/device/fusectl.ts';
import { isOurs, mountOf, mountsAt } from '../../../../mount/device/mountpoint.ts';

describe('connectionName', () => {
  test.each([
    ['0:45', '45'],
    ['0:1048575', '1048575'],
    ['7:3', '7340035'],
  ])('of device %s is %s', (device, name) => {
    expect(connectionName(device)).toBe(name);
  });
});

describe('mountOf', () => {
  test('is the deepest mount around the path, by whole components', async () => {
    expect((await mountOf('/proc/self/x'))?.mountPoint).toBe('/proc');
    expect((await mountOf('/process'))?.mountPoint).toBe('/');
  });

  test('is no tree of ours for a path in /proc', async () => {
    const [proc] = await mountsAt('/proc');
    expect(proc && isOurs(proc)).toBe(false);
  });
});

describe('runBounded', () => {
  test('gives status and output', async () => {
    expect(await runBounded('sh', ['-c', 'echo out; echo err >&2; exit 3'], 5_000)).toEqual({
      status: 3,
      stdout: 'out\n',
      stderr: 'err',
    });
  });

  test('gives up a child that takes too long', async () => {
    const start = performance.now();
    expect(await runBounded('sleep', ['60'], 50)).toMatchObject({ status: undefined });
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test('says why a command cannot be started', async () => {
    const { status, stderr } = await runBounded('/nowhere/at/all', [], 1_000);
    expect(status).toBe(127);
    expect(stderr).toContain('ENOENT');
  });
});

describe('exitStatus', () => {
  test('is the code, or 128 and the signal', () => {
    expect(exitStatus(3, null)).toBe(3);
    expect(exitStatus(null, 'SIGKILL')).toBe(137);
  });
});
