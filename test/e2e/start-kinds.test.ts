import { expect, it } from 'vitest';
import { initOf, namespace } from '../support/containers.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

const KINDS = ['mnt', 'uts', 'ipc', 'net', 'pid', 'user', 'cgroup', 'time'];

/** Kinds of which the container has another namespace than we. */
async function ownKinds(tree: Mounted, name: string): Promise<string[]> {
  const init = await initOf(tree, name);
  return KINDS.filter((kind) => namespace(init, kind) !== namespace('self', kind));
}

it('gives a network as well to a container whose .ns/net was created before the start', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/.ns && touch web/.ns/net && ls web/.ns && echo running > web/.state');
  expect(await ownKinds(tree, 'web')).toEqual(['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup']);
});

it('lets a wish be taken back', async () => {
  await using tree = await mounted();
  await tree.ok(
    'mkdir web web/.ns && touch web/.ns/net && rm web/.ns/net && rmdir web/.ns && echo running > web/.state',
  );
  expect(await ownKinds(tree, 'web')).toEqual(['mnt', 'uts', 'ipc', 'pid', 'cgroup']);
});

it('removes with one rm -rf a container that only has wishes', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/.ns && touch web/.ns/net web/.ns/time && rm -rf web && ! ls web 2>/dev/null');
});

it('takes the kinds behind "running": +KIND besides the usual ones, a list exactly', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir a b c d');
  await tree.ok(
    "echo 'running +net' > a/.state && echo 'running mnt,uts' > b/.state && echo 'running +net,time' > c/.state",
  );
  await tree.ok("echo 'running pid' > d/.state");
  expect(await ownKinds(tree, 'a')).toEqual(['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup']);
  expect(await ownKinds(tree, 'b')).toEqual(['mnt', 'uts']);
  expect(await ownKinds(tree, 'c')).toEqual(['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup', 'time']);
  expect(await ownKinds(tree, 'd')).toEqual(['pid']);
});

it('keeps the kinds for the next start', async () => {
  await using tree = await mounted();
  await tree.ok("mkdir web && echo 'running mnt,uts,net' > web/.state");
  await tree.ok('echo stopped > web/.state && echo running > web/.state');
  expect(await ownKinds(tree, 'web')).toEqual(['mnt', 'uts', 'net']);
});

it('refuses a kind that there is not, and other kinds for what runs, with the reason', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await tree.sh("echo 'running +disk' > web/.state")).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/.error')).toMatch(/^EINVAL: "disk" is not a kind of namespace; there are mnt, uts, /);
  expect(await tree.sh('cat web/.state')).toMatchObject({ status: 1 });
  await tree.ok('echo running > web/.state');
  expect(await tree.sh("echo 'running +net' > web/.state")).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/.error')).toMatch(/^EBUSY: .*write stopped to \.state first$/);
  expect(await ownKinds(tree, 'web')).toEqual(['mnt', 'uts', 'ipc', 'pid', 'cgroup']);
});
