import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { counting, eachWithTree, type Scratch } from '../support/checkpoints.ts';
import type { Mounted } from '../support/mounted.ts';

let tree: Mounted;
let disk: Scratch;
eachWithTree(async (mount, directory) => {
  [tree, disk] = [mount, directory];
  await counting(tree, 'web', disk.at('count'));
});

/** Checkpoints that were begun: each makes the directory of its images, and none of these tests removes the container. */
function begun(): number {
  return readdirSync(tree.instance.stateDir).filter((name) => name.endsWith('.checkpoints')).length;
}

it.each([
  'find .',
  'find . -ls',
  'du -a .',
  'grep -r running .',
  'ls -laR',
  'tree -a',
  'stat web/.checkpoint',
  'find . -xdev -type f -newer web/.state -print0 | xargs -0 -r stat',
  `python3 -c 'import os; [os.lstat(os.path.join(d, f)) for d, _, fs in os.walk(".") for f in fs]'`,
])('freezes nothing for %s, and shows an empty directory', async (scan) => {
  const { stderr } = await tree.sh(scan);
  expect(stderr).toBe('');
  expect(await tree.ok('ls -A web/.checkpoint')).toBe('');
  expect(begun()).toBe(0);
  expect(readFileSync(`${tree.instance.runDir}/journal`, 'latin1')).not.toContain('"op":"moving"');
});

it('takes one at a touch, which all see until it is removed, though the container goes on', async () => {
  await tree.ok('touch web/.checkpoint');
  expect(begun()).toBe(1);
  const listing = await tree.ok('ls web/.checkpoint');
  expect(listing.split('\n')).toEqual(expect.arrayContaining(['manifest.json', 'files.img', 'pstree.img']));
  expect(await tree.ok('find web/.checkpoint -type f | wc -l')).toBe(String(listing.split('\n').length));
  expect(await tree.ok('stat -c %a:%u web/.checkpoint web/.checkpoint/manifest.json')).toBe('700:0\n600:0');

  // Also an archiver gets what is held, and the next daemon knows of it.
  await tree.killDaemon();
  await tree.ok(`tar cf ${disk.at('web.tar')} web && tar df ${disk.at('web.tar')} web/.checkpoint`);
  expect(await tree.ok('ls web/.checkpoint')).toBe(listing);

  await tree.ok('rm -r web/.checkpoint');
  expect(await tree.ok('ls web/.checkpoint 2>&1 || :')).not.toContain('manifest.json');
  await expect.poll(begun).toBe(0);
  expect(await tree.ok('cat web/.state')).toBe('running');
  // And again, at once.
  await tree.ok(`touch web/.checkpoint && rm -r web/.checkpoint && tar cf ${disk.at('again.tar')} web`);
  expect(await tree.ok(`tar tf ${disk.at('again.tar')}`)).toContain('web/.checkpoint/manifest.json');
});

it('shows images to nobody but root', async () => {
  await tree.ok('touch web/.checkpoint');
  const { status, stderr } = await tree.as(65534, 'ls web/.checkpoint');
  expect(status).not.toBe(0);
  expect(stderr).toContain('Permission denied');
});
