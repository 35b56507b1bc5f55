import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { initOf } from '../support/containers.ts';
import { eventually, isAlive, mounted } from '../support/mounted.ts';

it('hides a control entry that was unlinked, without any other effect, and shows it again after 10 seconds', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const init = await initOf(tree, 'web');
  const listed = await tree.ok('ls -A web');
  const unlinked = performance.now();
  await tree.ok('rm web/.state web/.signal web/.init && rm -r web/.ns');
  for (const name of ['.state', '.signal', '.init', '.ns']) {
    expect((await tree.sh(`stat web/${name}`)).stderr, name).toContain('No such file or directory');
  }
  // Nor is an empty .checkpoint listed while anything is hidden.
  const gone = ['.state', '.signal', '.init', '.ns', '.checkpoint'];
  const left = listed.split('\n').filter((name) => !gone.includes(name));
  expect((await tree.ok('ls -A web')).split('\n')).toEqual(left);
  expect((await tree.sh('rm web/.state')).stderr).toContain('No such file or directory');
  expect((await tree.sh('rmdir web')).stderr).toContain('Directory not empty');
  expect(isAlive(init)).toBe(true);

  await sleep(7_000 - (performance.now() - unlinked));
  expect((await tree.sh('cat web/.state')).status).not.toBe(0);
  await eventually(async () => (await tree.ok('ls -A web')) === listed, 'the entries are back', 5_000);
  expect(performance.now() - unlinked).toBeGreaterThan(10_000);
  expect(await tree.ok('cat web/.state; readlink web/.init')).toBe(`running\n/proc/${init}`);
});

it('shows all of them at once when somebody creates one, and does as it is told', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const listed = await tree.ok('ls -A web');
  await tree.ok('rm web/.state web/.init; ls -A web; echo frozen > web/.state');
  expect(await tree.ok('ls -A web; cat web/.state')).toBe(`${listed}\nfrozen`);
  expect((await tree.sh('rmdir web')).stderr).toContain('Directory not empty');
});
