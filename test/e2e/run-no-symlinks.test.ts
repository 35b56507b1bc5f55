import { expect, it } from 'vitest';
import { attached } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

it('asks no other container than the one named, wherever a program in that has the way to its init lead', async () => {
  await using tree = await mounted();
  await tree.ok('for c in other one two; do mkdir $c; echo running > $c/.state; done');
  // As root sees it, whose the way is where a symlink is absolute.
  const others = `${await tree.ok('readlink other/.init')}/root/dev/.nsdir`;
  for (const [name, script] of [
    ['one', `mount -t tmpfs none /dev/.nsdir && ln -s ${others}/commands /dev/.nsdir/commands`],
    ['two', `mount -t tmpfs none /dev && ln -s ${others} /dev/.nsdir`],
  ] as const) {
    expect(await attached(tree, name, ['sh', '-c', `hostname; ${script}`])).toMatchObject({
      stdout: name,
      exitCode: 0,
    });
    const { stdout, stderr, exitCode } = await attached(tree, name, ['hostname']);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 125 });
    expect(stderr).toContain('has put a symlink in the place of /dev/.nsdir');
  }
});
