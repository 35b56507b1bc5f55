import { afterAll, beforeAll, expect, it } from 'vitest';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

const LONGEST = ['x'.repeat(255), '語'.repeat(85)];
const TOO_LONG = ['x'.repeat(256), `${'語'.repeat(85)}x`];
const GOOD = [
  'web',
  '-rf',
  'a b',
  ' ',
  "it's",
  '"',
  '\\',
  '*',
  '$HOME',
  'naïve',
  '🐋',
  'e\u0301',
  'é',
  '~',
  'CON',
  '0',
];
/** As printf(1) has them. */
const BAD = ['.web', '...', '.state2', 'new\\nline', '\\033[31m', '\\177', '\\302\\205', '\\377', 'half\\303', '\\t'];

it('takes any name that can be shown, and shows it as it is', async () => {
  await tree.ok('mkdir good');
  for (const name of [...GOOD, ...LONGEST]) {
    expect(
      await tree.ok('mkdir -- "$NAME" && ls -N && rmdir -- "$NAME"', { cwd: `${tree.dir}/good`, env: { NAME: name } }),
    ).toBe(name);
  }
});

it.each(BAD)('refuses the name %j as invalid, to mkdir and to mv', async (name) => {
  await tree.ok('mkdir -p bad');
  const made = await tree.sh(`mkdir "$(printf '${name}')"`);
  expect(made.stderr).toContain('Invalid argument');
  const moved = await tree.sh(`mv -T bad "$(printf '${name}')"`);
  // mv's words for EINVAL.
  expect(moved.stderr).toContain("cannot move 'bad' to a subdirectory of itself");
  await tree.ok('rmdir bad');
});

it.each(TOO_LONG)('says that a name of more than 255 bytes is too long, whatever is done with it', async (name) => {
  await tree.ok('mkdir -p here');
  const calls = ['mkdir NAME', 'rmdir NAME', 'mv here NAME', 'mv NAME here/', 'stat NAME', 'ls NAME', 'chmod 700 NAME'];
  for (const call of [...calls, 'touch NAME', 'ln -s x NAME', 'mknod NAME p', 'cat here/NAME', 'cat NAME/.state']) {
    const { status, stderr } = await tree.sh(call.replace('NAME', name));
    expect(status, call).not.toBe(0);
    expect(stderr, call).toContain('File name too long');
  }
});

it('keeps names that look alike apart', async () => {
  await tree.ok('mkdir twins && cd twins && mkdir é e\u0301 E A a && rmdir E a');
  expect((await tree.ok('ls -N twins')).split('\n').sort()).toEqual(['A', 'e\u0301', 'é'].sort());
});
