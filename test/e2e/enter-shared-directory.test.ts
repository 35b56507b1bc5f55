import { readFileSync, readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { initOf, namespace, procsOf } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';

/** Has a child that shares root and working directory with it (clone(2), CLONE_FS), but no memory. */
const SHARING = `
import ctypes, os, signal, time
SYS_clone = {'x86_64': 56, 'aarch64': 220}[os.uname().machine]
CLONE_FS = 0x200
ctypes.CDLL(None).syscall(SYS_clone, CLONE_FS | signal.SIGCHLD, 0, 0, 0, 0)
time.sleep(1000)
`;

/** Before it is python, it may be a shell that finds it. */
const programOf = (pid: number) => readlinkSync(`/proc/${pid}/exe`);

it('has a process enter that shares its working directory with another, which stays where it is', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const { pid: parent = 0 } = tree.background('python3', '-c', SHARING);
  let child = 0;
  await eventually(() => {
    child = Number(readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8'));
    return child > 0 && programOf(parent).includes('python') && programOf(child) === programOf(parent);
  }, 'it has a child');
  const init = await initOf(tree, 'web');
  await tree.ok(`ln -s ../web .proxy/${child}`);
  for (const kind of ['mnt', 'uts', 'ipc']) expect(namespace(child, kind)).toBe(namespace(init, kind));
  expect(await procsOf(tree, 'web')).toContain(child);
  expect(namespace(parent, 'mnt')).toBe(namespace('self', 'mnt'));
  expect(readlinkSync(`/proc/${parent}/cwd`)).toBe(tree.dir);
  expect(await procsOf(tree, 'web')).not.toContain(parent);
  await tree.ok(`kill ${child}`);
});
