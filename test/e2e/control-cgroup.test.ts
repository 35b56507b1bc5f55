import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { initOf } from '../support/containers.ts';
import { cgroup2MountPoint, mounted } from '../support/mounted.ts';

it('leads with .cgroup to the cgroup directory that holds the init, and all its knobs', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const directory = await tree.ok('readlink web/.cgroup');
  expect(directory.startsWith(`${tree.cgroup()}/`)).toBe(true);
  const own = /^0::(.*)$/m.exec(readFileSync(`/proc/${await initOf(tree, 'web')}/cgroup`, 'utf8'))?.[1] ?? '';
  expect(`${cgroup2MountPoint()}${own}`.startsWith(directory)).toBe(true);
  expect(await tree.ok('grep populated web/.cgroup/cgroup.events && cat web/.cgroup/cgroup.type')).toBe(
    'populated 1\ndomain',
  );
  await tree.ok('echo 7 > web/.cgroup/cgroup.max.depth');
  expect(readFileSync(`${directory}/cgroup.max.depth`, 'utf8')).toBe('7\n');
});

it('follows the container: nested below, gone when it stopped', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  const [web, job] = [await tree.ok('readlink web/.cgroup'), await tree.ok('readlink web/job/.cgroup')];
  expect(job).toMatch(new RegExp(`^${web}/\\d+$`));
  await tree.ok('mv web home');
  expect(await tree.ok('readlink home/.cgroup')).toBe(web);
  await tree.ok('echo stopped > home/.state');
  expect(await tree.sh('readlink home/.cgroup')).toMatchObject({ status: 1 });
});
