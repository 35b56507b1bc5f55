import { afterAll, beforeAll, expect, it } from 'vitest';
import { detached } from '../support/containers.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
  await tree.ok('mkdir -p web/job db idle; for c in web web/job db; do echo running > $c/.state; done');
  await detached(tree, 'web', ['sleep', '1000']);
  await tree.ok('echo frozen > db/.state');
});
afterAll(() => tree[Symbol.asyncDispose]());

/** What holds for it besides status 0, no complaint, and an end. */
const TOOLS: readonly (readonly [command: string, output: RegExp])[] = [
  ['ls -la web', /^-rw-r--r-- +1 root root +8 .* \.state$/m],
  ['ls -laR', /^\.\/web\/job\/\.ns:$/m],
  ['ls --color=always -lai --time-style=full-iso web db', /\.procs/],
  ['find . -ls', / \.\/web\/job\/\.state$/m],
  ['find . -type f -newermt 2020-01-01 -print0 | xargs -0 wc -c', / total$/],
  ['find . -name .state -exec cat {} +', /^((running|frozen)\n?)+$/],
  ['find . -type f -size +0 -exec head -c 1 {} ";"', /r/],
  ['tree -a .', /directories, \d+ files/],
  ['tree -aJpugsD --du .', /"name":"\.state"/],
  ['du -a .', /\.\/web\/job\/\.state$/m],
  ['du -sh --apparent-size .', /\t\.$/],
  ['grep -r running .', /^\.\/web\/job\/\.state:running$/m],
  ['grep -rc . web', /^web\/\.procs:2$/m],
  ['cat */.state */.procs */.stat */.events */.nsproxy', /^frozen$/m],
  ['head -n 1 web/.s* web/.events', /==> web\/\.state <==\nrunning/],
  ['tail -n 1 web/.state', /^running$/],
  ['md5sum web/.state db/.state', /^[0-9a-f]{32} {2}web\/\.state$/m],
  ['file web/.state', /ASCII text/],
  ['stat -c %s:%n web/.*', /^8:web\/\.state$/m],
  ['test -s web/.state && test -f web/.state && test -d web/.ns && test -L web/.init && echo yes', /^yes$/],
  ['busybox ls -laR', /\.procs/],
  ['busybox find . -type f -exec busybox cat {} +', /^frozen$/m],
  ['busybox grep -r running web db', /web\/job\/\.state:running/],
  ['diff web/.state web/job/.state && echo same', /^same$/],
  ['wc -l web/.procs', /^2 web/],
  ['dd if=web/.state bs=1 status=none', /^running$/],
  [`python3 -c 'import os; print(sum(len(f) for _, _, f in os.walk(".")))'`, /^\d+$/],
];

it.each(TOOLS)('lets %s come to its end without a complaint', async (command, output) => {
  const { status, stdout, stderr } = await tree.sh(command, { timeout: 10_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(output);
});
