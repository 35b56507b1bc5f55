import { expect, it } from 'vitest';
import { inside } from '../support/containers.ts';
import { mounted, NSDIR } from '../support/mounted.ts';

it('keeps standard output and standard error apart', async () => {
  await using tree = await mounted();
  expect(await inside(tree, 'web', 'echo out; echo err >&2')).toEqual({ status: 0, stdout: 'out', stderr: 'err' });
});

it('gives the command our standard input, to its end', async () => {
  await using tree = await mounted();
  const run = `NSDIR_MOUNT=${tree.dir} ${process.execPath} ${NSDIR} run web -- `;
  expect(await tree.ok(`printf 'one\\ntwo\\n' | ${run} sort -r`)).toBe('two\none');
  expect(await tree.ok(`head -c 1000000 /dev/zero | ${run} wc -c`)).toBe('1000000');
  expect(await tree.ok(`${run} head -c 1000000 /dev/zero | wc -c`)).toBe('1000000');
});

it('gives it our environment, and our working directory if the container has it', async () => {
  await using tree = await mounted();
  const options = { cwd: '/etc', env: { COLOUR: 'blue', NSDIR_MOUNT: tree.dir } };
  const run = `${process.execPath} ${NSDIR} run web -- `;
  expect(await tree.ok(`${run} sh -c 'echo $COLOUR $container; pwd'`, options)).toBe('blue nsdir\n/etc');
  const elsewhere = await tree.ok(
    `mkdir -p /run/${tree.instance.id} && cd /run/${tree.instance.id} && ${run} pwd; rmdir /run/${tree.instance.id}`,
    options,
  );
  expect(elsewhere).toBe('/');
});

it('does without what is closed', async () => {
  await using tree = await mounted();
  const run = `NSDIR_MOUNT=${tree.dir} ${process.execPath} ${NSDIR} run web -- `;
  expect(await tree.ok(`${run} sh -c 'readlink /proc/$$/fd/0; echo on' <&-`)).toBe('/dev/null\non');
});

it('passes arguments on as they are', async () => {
  await using tree = await mounted();
  const args = ['a b', '', '$HOME', '--help', 'é\n!', "'"];
  const { stdout } = await tree.nsdir('run', 'web', '--', 'printf', '[%s]', ...args);
  expect(stdout).toBe(args.map((arg) => `[${arg}]`).join(''));
});
