import { expect, it } from 'vitest';
import { inside, initOf, namespace, okInside } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

it('gives a container mnt, uts, ipc, pid and cgroup namespaces of its own, and leaves it the net, user and time ones', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const init = await initOf(tree, 'web');
  for (const kind of ['mnt', 'uts', 'ipc', 'pid', 'cgroup']) {
    expect(namespace(init, kind), kind).not.toBe(namespace('self', kind));
  }
  for (const kind of ['net', 'user', 'time']) expect(namespace(init, kind), kind).toBe(namespace('self', kind));
  expect(await tree.ok('cat web/.state')).toBe('running');
});

it('makes its name the host name, and itself the first process', async () => {
  await using tree = await mounted();
  expect(await okInside(tree, 'web', 'hostname; cat /proc/1/comm; cat /proc/self/cgroup | grep ^0:')).toBe(
    'web\nnsdir-init\n0::/',
  );
});

it('cuts a host name to the 64 bytes a kernel takes, between two characters', async () => {
  await using tree = await mounted();
  const name = `${'x'.repeat(63)}é${'y'.repeat(20)}`;
  expect(await okInside(tree, name, 'hostname')).toBe('x'.repeat(63));
});

it('does nothing when what runs is started again', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const init = await initOf(tree, 'web');
  await tree.ok('echo running > web/.state');
  expect(await initOf(tree, 'web')).toBe(init);
  expect(await tree.ok('grep -c started web/.events')).toBe('1');
});

it('starts anew, with another init, what was stopped', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const init = await initOf(tree, 'web');
  await tree.ok('echo stopped > web/.state && echo running > web/.state');
  expect(await initOf(tree, 'web')).not.toBe(init);
  expect(await inside(tree, 'web', 'hostname')).toMatchObject({ status: 0, stdout: 'web' });
});
