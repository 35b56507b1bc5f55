import { afterAll, beforeAll, expect, it } from 'vitest';
import { mounted, type Mounted, type Outcome } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
  await tree.ok('chmod 1777 .; chmod 755 ..');
});
afterAll(() => tree[Symbol.asyncDispose]());

/** As uid 1001, who is also in group 2000. */
function asMember(script: string): Promise<Outcome> {
  return tree.sh(`setpriv --reuid=1001 --regid=1001 --groups=2000 sh -c '${script}'`);
}

it('lets an owner give a container to a group he is in, and to no other', async () => {
  expect(await asMember('mkdir ours && chgrp 2000 ours && stat -c %g ours')).toMatchObject({
    status: 0,
    stdout: '2000',
  });
  const refused = await asMember('chgrp 3000 ours');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('Operation not permitted');
  expect(await tree.ok('stat -c %g ours')).toBe('2000');
});

it('lets no owner give a container away', async () => {
  const refused = await asMember('mkdir kept; chown 1002 kept');
  expect(refused.stderr).toContain('Operation not permitted');
  expect(await tree.ok('stat -c %u kept')).toBe('1001');
});

it('lets root give a container to anybody, who may then make containers in it', async () => {
  await tree.ok('mkdir given && chown 1001:1001 given');
  expect(await tree.as(1001, 'mkdir given/job && chmod 700 given')).toMatchObject({ status: 0 });
  expect(await tree.ok('stat -c "%u %a" given')).toBe('1001 700');
});

it('lets nobody but the owner and root change a mode', async () => {
  await tree.ok('mkdir roots && chmod 777 roots');
  const refused = await tree.as(1001, 'chmod 700 roots');
  expect(refused.stderr).toContain('Operation not permitted');
  expect(await tree.ok('stat -c %a roots')).toBe('777');
});

it('takes the setgid bit from an owner who is not in the group', async () => {
  await tree.ok('mkdir foreign && chown 1001:3000 foreign');
  expect((await tree.as(1001, 'chmod 2755 foreign; stat -c %a foreign')).stdout).toBe('755');
});
