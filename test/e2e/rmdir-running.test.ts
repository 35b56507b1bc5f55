import { expect, it } from 'vitest';
import { initOf } from '../support/containers.ts';
import { isAlive, mounted } from '../support/mounted.ts';

it('does not remove a container that runs, is frozen or was stopped, nor one that has others, by a bare rmdir', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job cold outer outer/in; for c in web web/job cold; do echo running > $c/.state; done');
  const inits = [await initOf(tree, 'web'), await initOf(tree, 'web/job'), await initOf(tree, 'cold')];
  await tree.ok('echo frozen > cold/.state');
  for (const name of ['web/job', 'web', 'cold', 'outer']) {
    expect((await tree.sh(`rmdir ${name}`)).stderr, name).toContain('Directory not empty');
  }
  expect(inits.map(isAlive)).toEqual([true, true, true]);
  expect(await tree.ok('cat web/.state web/job/.state cold/.state; ls . web outer')).toBe(
    'running\nrunning\nfrozen\n.:\ncold\nouter\nweb\n\nouter:\nin\n\nweb:\njob',
  );
  await tree.ok('echo stopped > cold/.state');
  expect((await tree.sh('rmdir cold')).stderr).toContain('Directory not empty');
  expect(await tree.ok('rmdir outer/in outer; ls')).toBe('cold\nweb');
});
