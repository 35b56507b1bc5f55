import { expect, it } from 'vitest';
import { initOf, namespace, procsOf } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

it.each(['ln', 'ln -f', 'busybox ln'])(
  "enters one kind of a container's namespaces by %s, and nothing else of it",
  async (ln) => {
    await using tree = await mounted();
    await tree.ok('mkdir web; echo "running +net" > web/.state');
    const { pid = 0 } = tree.background('sleep', '1000');
    await tree.ok(`${ln} web/.ns/net .proxy/${pid}`);
    const init = await initOf(tree, 'web');
    expect(namespace(pid, 'net')).toBe(namespace(init, 'net'));
    for (const kind of ['mnt', 'uts', 'ipc', 'pid_for_children'])
      expect(namespace(pid, kind)).toBe(namespace('self', kind));
    expect(await procsOf(tree, 'web')).not.toContain(pid);
    expect(await tree.ok(`ls .proxy; readlink .proxy/${pid}`)).toBe(`${pid}\n/proc/${init}/ns/net`);
  },
);

it('enters several kinds by several links', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo "running +net" > web/.state');
  const { pid = 0 } = tree.background('sleep', '1000');
  await tree.ok(`ln web/.ns/net .proxy/${pid}; ln web/.ns/uts .proxy/${pid}`);
  const init = await initOf(tree, 'web');
  for (const kind of ['net', 'uts']) expect(namespace(pid, kind)).toBe(namespace(init, kind));
  expect(namespace(pid, 'mnt')).toBe(namespace('self', 'mnt'));
});

it('lets who entered a part enter the rest', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo "running +net" > web/.state');
  const { pid = 0 } = tree.background('sleep', '1000');
  await tree.ok(`ln web/.ns/net .proxy/${pid}; ln -s ${tree.dir}/web .proxy/${pid}`);
  expect(await procsOf(tree, 'web')).toContain(pid);
  expect(namespace(pid, 'mnt')).toBe(namespace(await initOf(tree, 'web'), 'mnt'));
});

it('enters a part by nsdir enter --ns', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo "running +net" > web/.state');
  const { stdout } = await tree.nsdir(
    'enter',
    '--ns',
    'net,uts',
    'web',
    '--',
    'sh',
    '-c',
    'hostname; readlink /proc/self/ns/net /proc/self/ns/mnt',
  );
  expect(stdout).toBe(`web\n${namespace(await initOf(tree, 'web'), 'net')}\n${namespace('self', 'mnt')}`);
});

it('says which kinds there are', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await tree.nsdir('enter', '--ns', 'net,disk', 'web')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('mnt,uts,ipc,net') as string,
  });
});
