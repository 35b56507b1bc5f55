import { chmodSync, copyFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { scratch } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';
import { usersOf, type TreeUser } from '../support/tree-users.ts';

const FORGE = new URL('../support/forge-reports.py', import.meta.url).pathname;
/** The first of which his forging catches, if it can. */
const STARTS = 12;

/** Starts by one who watches them, and what his forging gave. */
const watched = (forge: string, ready: string, starts: string) =>
  `python3 ${forge} ${ready} & until [ -e ${ready} ]; do sleep 0.02; done; ${starts}; kill $! 2>/dev/null; wait $!`;

it('lets no user speak to the launcher in the name of the init of his container', async () => {
  await using tree = await mounted();
  await using made = await usersOf(tree, 1);
  const [alice] = made.users as [TreeUser];
  await tree.ok('chmod 1777 .');
  const forge = path.join(alice.home, 'forge.py');
  copyFileSync(FORGE, forge);
  chmodSync(forge, 0o644);
  const starts = `for n in $(seq ${STARTS}); do mkdir c$n; echo running > c$n/.state; done; cat c*/.state | sort | uniq -c | xargs`;
  expect(await alice.ok(watched(forge, '~/ready', starts))).toBe(`${STARTS} running\nnothing taken`);
});

it('kills no process of which a container’s root tells the launcher that it is an init', async () => {
  await using tree = await mounted();
  using files = scratch();
  copyFileSync(FORGE, files.at('forge.py'));
  await tree.ok(`mkdir -p out/in; echo 'running +user' > out/.state`);
  const forging = tree.nsdir('run', 'out', '--', 'python3', files.at('forge.py'), files.at('ready'));
  await tree.ok(`until [ -e ${files.at('ready')} ]; do sleep 0.02; done`);
  const { status } = await tree.sh(
    `for n in $(seq ${50 * STARTS}); do echo running > out/in/.state || exit 9; echo stopped > out/in/.state; done`,
  );
  expect(status).toBe(9);
  expect((await forging).stdout).toBe('taken\nlives');
  expect(await tree.ok('cat out/in/.error')).toMatch(/^EPROTO: .*its init says what none says/);
  await tree.ok('echo running > out/in/.state; rm -r out');
});
