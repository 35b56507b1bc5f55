import { afterAll, beforeAll, expect, it } from 'vitest';
import { initOf } from '../support/containers.ts';
import { isAlive, mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
let inits: number[];
beforeAll(async () => {
  tree = await mounted();
  await tree.ok('chmod 1777 .; mkdir web open; echo running > web/.state; chmod 777 open; echo running > open/.state');
  inits = [await initOf(tree, 'web'), await initOf(tree, 'open')];
});
afterAll(() => tree[Symbol.asyncDispose]());

it.each([
  'echo stopped > web/.state',
  'echo frozen > web/.state',
  'echo KILL > web/.signal',
  'cat web/.signal',
  'rm web/.state',
  'rm -rf web',
  'rmdir web',
  'mv web taken',
  'mkdir taker; mv web taker/',
  'mkdir web/in',
  'mkdir web/.ns',
  'chmod 777 web',
  'chown 1001 web',
  'touch -d @1 web',
  // Whoever may write in the directory may take names away. He does not get them back as his own.
  'echo stopped > open/.state',
  'rm -f open/.state; echo stopped > open/.state',
  'rm -f open/.signal; echo KILL > open/.signal',
  'rm -rf open',
  'mv open taken',
  // The machine itself.
  'echo KILL > .signal',
  'echo stopped > .state',
  'rm .state',
])("refuses an ordinary user %j on root's containers", async (attempt) => {
  const { status, stderr } = await tree.as(1001, attempt);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/Permission denied|Operation not permitted|cannot create/i);
  expect(inits.map(isAlive)).toEqual([true, true]);
  expect(await tree.ok('sleep 0.05; cat web/.state; stat -c "%u %a" web; ls')).toMatch(
    /^running\n0 755\nopen(\ntaker)?\nweb$/,
  );
});

it('lets everybody look', async () => {
  const { status, stdout } = await tree.as(1001, 'cat web/.state && cat web/.procs && readlink web/.init && ls -A web');
  expect(status).toBe(0);
  expect(stdout).toContain('running\n');
  expect(stdout).toContain(`/proc/${inits[0]}\n`);
});
