import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { detached, initOf, namespace, procsOf } from '../support/containers.ts';
import { discovering } from '../support/found.ts';
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

it('leaves who entered a part, and what he starts, a member of where he is', async () => {
  await using tree = await discovering();
  await tree.ok('mkdir web web/job; echo running > web/.state; echo running > web/job/.state');
  const shell = 'while :; do sleep 20 & wait; done';
  const outside = tree.background('sh', '-c', shell).pid ?? 0;
  await detached(tree, 'web', ['sh', '-c', shell]);
  const inside = (await procsOf(tree, 'web'))[1] ?? 0;
  await tree.ok(`ln web/.ns/uts .proxy/${outside}; ln web/job/.ns/uts .proxy/${inside}`);
  // Their children from now on are in it too, and it would be shown by then.
  for (const pid of [outside, inside]) await tree.ok(`kill $(cat /proc/${pid}/task/${pid}/children)`);
  await setTimeout(1500);
  expect(await tree.ok('ls web')).toBe('job');
  for (const [pid, name] of [
    [outside, tree.dir],
    [inside, `${tree.dir}/web`],
  ] as const) {
    const child = (await tree.ok(`cat /proc/${pid}/task/${pid}/children`)).trim();
    expect(namespace(Number(child), 'uts')).toBe(namespace(pid, 'uts'));
    for (const each of [pid, child]) expect((await tree.nsdir('which', String(each))).stdout).toBe(name);
    const listed = await procsOf(tree, path.relative(tree.dir, name) || '.');
    expect(listed).toEqual(expect.arrayContaining([pid, Number(child)]));
  }
  expect(await tree.ok(`ls .proxy | sort -n`)).toBe([outside, inside].sort((a, b) => a - b).join('\n'));
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
