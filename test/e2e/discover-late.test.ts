import { expect, it } from 'vitest';
import { discovering, making, shown } from '../support/found.ts';

/** Sleeps for longer than young processes are looked at, then makes a namespace without forking or executing anything. */
const LATE = `
import ctypes, os, time
print(os.getpid(), flush=True)
time.sleep(4)
ctypes.CDLL(None).unshare(0x04000000)
time.sleep(1000)`;

it.each(['on', 'exact'] as const)('shows who makes namespaces late and tells nobody: --discovery %s', async (how) => {
  await using tree = await discovering(how);
  await using maker = await making('python3', '-c', LATE);
  const at = await shown(tree, maker.pid);
  expect(at).toMatch(/^unnamed[0-9]+$/);
});
