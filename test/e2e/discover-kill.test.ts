import { expect, it } from 'vitest';
import { scratch } from '../support/containers.ts';
import { discovering, shown, unshared } from '../support/found.ts';
import { eventually, isAlive } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

it('kills all of a discovered container that shares its cgroup with others and forks meanwhile, and nobody else', async () => {
  using files = scratch();
  await using tree = await discovering();
  const bystander = tree.background('sleep', '1000');
  const bomb = workload('fork-bomb', '5', files.at('go'));
  await using maker = await unshared(['--mount'], 'exec "$@"', ...bomb);
  const at = await shown(tree, maker.pid);
  await tree.ok(`readlink /proc/${maker.pid}/ns/mnt > ${files.at('mnt')}; touch ${files.at('go')}`);
  await eventually(async () => Number(await tree.ok(`wc -l < ${at}/.procs`)) > 25, 'the bomb went off');
  await tree.ok(`rm -rf ${at}`);
  const left = `for each in /proc/[0-9]*; do readlink $each/ns/mnt; done 2>/dev/null | grep -cFx "$(cat ${files.at('mnt')})" || :`;
  await eventually(async () => (await tree.ok(left)) === '0', 'nobody is left', 5_000);
  expect(isAlive(bystander.pid!)).toBe(true);
});

it('refuses to kill for a user what is not his', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--mount'], 'setpriv --reuid=4321 --clear-groups sleep 1000 & exec sleep 1000');
  const at = await shown(tree, maker.pid);
  await tree.ok(`chmod 1777 . && chown 4321 ${at}`);
  const { status } = await tree.as(4321, `rm -rf ${at}`);
  expect(status).not.toBe(0);
  expect(isAlive(maker.pid)).toBe(true);
  expect((await tree.as(4321, `echo KILL > ${at}/.signal`)).status).not.toBe(0);
  expect((await tree.as(4321, `echo stopped > ${at}/.state`)).status).not.toBe(0);
  expect(isAlive(maker.pid)).toBe(true);
});
