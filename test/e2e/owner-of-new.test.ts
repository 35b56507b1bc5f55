import { afterAll, beforeAll, expect, it } from 'vitest';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
  await tree.ok('chmod 1777 .');
});
afterAll(() => tree[Symbol.asyncDispose]());

it('makes the caller the owner, with the mode that the umask leaves', async () => {
  expect(await tree.ok('umask 027; mkdir roots; stat -c "%u %g %A" roots')).toBe('0 0 drwxr-x---');
  expect((await tree.as(1001, 'umask 022; mkdir mine; stat -c "%u %g %A" mine')).stdout).toBe('1001 1001 drwxr-xr-x');
});

it('hands the group of a setgid directory down, and the bit', async () => {
  await tree.ok('mkdir shared && chgrp 2000 shared && chmod 2777 shared');
  expect(await tree.ok('umask 022; mkdir shared/in; stat -c "%u %g %A" shared/in')).toBe('0 2000 drwxr-sr-x');
  const { stdout } = await tree.as(1001, 'umask 077; mkdir shared/theirs; stat -c "%u %g %A" shared/theirs');
  expect(stdout).toBe('1001 2000 drwx--S---');
});

it('does not hand anything down without the bit', async () => {
  await tree.ok('mkdir plain && chgrp 2000 plain && chmod 777 plain');
  expect((await tree.as(1001, 'umask 022; mkdir plain/in; stat -c "%g %A" plain/in')).stdout).toBe('1001 drwxr-xr-x');
});

it('takes a mode of mkdir to the letter', async () => {
  await tree.ok('mkdir -m 1777 sticky && mkdir -m 0 closed && mkdir -m 7777 all');
  expect(await tree.ok('stat -c %a sticky closed all')).toBe('1777\n0\n7777');
  // mkdir(1) sets such bits once more, by chmod(2).
  await tree.ok('umask 0; python3 -c \'import os; os.mkdir("call", 0o1777)\'');
  expect(await tree.ok('stat -c %a call')).toBe('1777');
});
