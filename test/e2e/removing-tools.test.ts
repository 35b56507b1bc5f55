import { afterAll, beforeAll, expect, it } from 'vitest';
import { detached, nothingLeft, processesOf } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

const TOOLS = [
  'rm -rf web',
  'rm -r web',
  'busybox rm -rf web',
  `python3 -c 'import shutil; shutil.rmtree("web")'`,
  'find web -delete',
  'find web -depth -exec rm -d {} ";"',
  `busybox find web -depth ! -type d -exec busybox rm {} ';' -o -depth -type d -exec busybox rmdir {} ';'`,
  `perl -MFile::Path=remove_tree -e 'remove_tree("web", {error => \\my $e}); exit(@$e ? 1 : 0)'`,
];

it.each(TOOLS)('kills all that runs in a container, and in those inside it, by %s', async (tool) => {
  await tree.ok('mkdir -p web/a/b web/never kept; for c in web web/a web/a/b kept; do echo running > $c/.state; done');
  await detached(tree, 'web', ['sleep', '1000']);
  await detached(tree, 'web/a/b', ['sh', '-c', 'sleep 1000 & sleep 1000']);
  const keptInit = await tree.ok('readlink kept/.init');
  await eventually(() => processesOf(tree).length === 8, 'four inits and four commands run');

  expect(await tree.sh(tool)).toMatchObject({ status: 0, stderr: '' });

  expect(await tree.ok('ls')).toBe('kept');
  expect(await tree.ok('cat kept/.state; readlink kept/.init')).toBe(`running\n${keptInit}`);
  expect(await tree.sh('rm -rf kept')).toMatchObject({ status: 0, stderr: '' });
  await nothingLeft(tree);
});
