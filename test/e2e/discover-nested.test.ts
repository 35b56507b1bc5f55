import { expect, it } from 'vitest';
import { detached, okInside } from '../support/containers.ts';
import { discovering, OWN_PID, shown, unshared } from '../support/found.ts';
import { eventually } from '../support/mounted.ts';

it('shows what is made in a discovered container below it', async () => {
  await using tree = await discovering();
  const inner = `unshare --uts sh -c '${OWN_PID.replaceAll("'", `'\\''`)}; exec sleep 1000' > /dev/null & exec sleep 1000`;
  await using maker = await unshared(['--mount'], inner);
  const outer = await shown(tree, maker.pid);
  await eventually(async () => (await tree.ok(`ls ${outer}`)) === 'unnamed1', 'one container is in it');
  expect(await tree.ok(`cat ${outer}/unnamed1/.procs | wc -l`)).toBe('1');
});

it('shows what a process in a container makes below that one, to each reader from where it is', async () => {
  await using tree = await discovering();
  await detached(tree, 'web', ['unshare', '--uts', 'sleep', '1000']);
  await eventually(async () => (await tree.ok('ls web')) === 'unnamed1', 'web/unnamed1 is there');
  expect(await okInside(tree, 'web', `ls ${tree.dir}`)).toBe('unnamed1');
  expect(await okInside(tree, 'web', `cat ${tree.dir}/unnamed1/.state`)).toBe('running');
  expect(await okInside(tree, 'web', `nsenter --uts=${tree.dir}/unnamed1/.ns/uts readlink ${tree.dir}/.self`)).toMatch(
    /^(\.|unnamed1)$/,
  );
  await tree.ok('rm -rf web');
  expect((await tree.ok('ls')).split('\n')).not.toContain('web');
});

it('dies with the container it was made in', async () => {
  await using tree = await discovering();
  await detached(tree, 'web', ['unshare', '--uts', 'sleep', '1000']);
  await eventually(async () => (await tree.ok('ls web')) === 'unnamed1', 'web/unnamed1 is there');
  const pid = Number(await tree.ok('cat web/unnamed1/.procs'));
  await tree.ok('rm -rf web');
  expect((await tree.sh(`kill -0 ${pid}`)).status).not.toBe(0);
});

it('shows what is made in a container of a user below that, and his container as one', async () => {
  await using tree = await discovering();
  await tree.ok('chmod 755 ..; mkdir his; chown 65534:65534 his');
  await detached(tree, 'his', ['unshare', '--uts', 'sleep', '1000']);
  await eventually(async () => (await tree.ok('ls his')) === 'unnamed1', 'his/unnamed1 is there');
  const pid = Number(await tree.ok('cat his/unnamed1/.procs'));
  const init = await tree.ok('readlink his/.init');
  expect(await tree.ok(`stat -c %u ${init} /proc/${pid}; stat -c %u his/unnamed1`)).toBe('65534\n65534\n65534');
  expect((await tree.nsdir('which', init.slice('/proc/'.length))).stdout.trim()).toBe(`${tree.dir}/his`);
  await tree.ok('rm -rf his');
  expect((await tree.sh(`kill -0 ${pid}`)).status).not.toBe(0);
});
