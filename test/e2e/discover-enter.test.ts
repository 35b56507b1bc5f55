import { expect, it } from 'vitest';
import { namespace, procsOf } from '../support/containers.ts';
import { discovering, shown, unshared } from '../support/found.ts';
import { isAlive } from '../support/mounted.ts';

it('has a running process enter a discovered container by a link', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--uts', '--net', '--mount'], 'hostname found; exec sleep 1000');
  const at = await shown(tree, maker.pid);
  const { pid = 0 } = tree.background('sleep', '1000');
  const ipc = namespace(pid, 'ipc');
  await tree.ok(`ln -s ${tree.dir}/${at} .proxy/${pid}`);
  for (const kind of ['uts', 'net', 'mnt']) expect(namespace(pid, kind)).toBe(namespace(maker.pid, kind));
  expect(namespace(pid, 'ipc')).toBe(ipc);
  expect(await tree.ok(`ls .proxy; readlink .proxy/${pid}`)).toBe(`${pid}\n../${at}`);
  expect(await procsOf(tree, at)).toContain(pid);
  expect(await shown(tree, pid)).toBe(at);
  await tree.ok(`rm -rf ${at}`);
  expect([isAlive(pid), isAlive(maker.pid)]).toEqual([false, false]);
});

it('has a process enter one kind of its namespaces', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--uts', '--net']);
  const at = await shown(tree, maker.pid);
  const { pid = 0 } = tree.background('sleep', '1000');
  await tree.ok(`ln ${at}/.ns/net .proxy/${pid}`);
  expect([namespace(pid, 'net'), namespace(pid, 'uts')]).toEqual([
    namespace(maker.pid, 'net'),
    namespace('self', 'uts'),
  ]);
});

it('runs a command in a discovered container by nsdir enter', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--uts', '--pid', '--fork'], 'hostname found; exec sleep 1000');
  const at = await shown(tree, maker.pid);
  const entered = await tree.nsdir('enter', at, '--', 'sh', '-c', 'hostname; readlink /proc/self/ns/pid; exit 7');
  expect(entered).toMatchObject({ status: 7, stdout: `found\n${namespace(maker.pid, 'pid')}` });
});
