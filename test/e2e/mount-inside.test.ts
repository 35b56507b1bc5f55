import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { instanceFor } from '../../src/instance.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
  await tree.ok('mkdir -p web/job; echo running > web/.state');
});
afterAll(() => tree[Symbol.asyncDispose]());

test.each(['web', 'web/job', 'new', 'web/.ns'])(
  'a directory of the tree itself, %s, is no place for another tree',
  async (name) => {
    const dir = `${tree.dir}/${name}`;
    const { status, stdout, stderr } = await tree.nsdir('mount', dir);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`${dir} is inside the tree of nsdir that is mounted at ${tree.dir}`);
    expect(stderr).toMatch(/^ +mend it: .*nsdir mount DIR$/m);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(` ${dir} `);
    expect(existsSync(instanceFor(dir).runDir)).toBe(false);
    expect(await tree.ok('ls; cat web/.state')).toBe('web\nrunning');
  },
);

test('nor is a link to one', async () => {
  await tree.ok(`ln -s ${tree.dir}/web ../link`);
  const { status, stderr } = await tree.nsdir('mount', `${tree.dir}/../link`);
  expect([status, stderr]).toEqual([1, expect.stringContaining(`${tree.dir}/web is inside the tree of nsdir`)]);
});
