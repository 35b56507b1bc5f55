import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { serialOf, type NodeId } from '../../src/tree/node-id.ts';
import { stateFiles } from '../../src/instance.ts';
import { mounted } from '../support/mounted.ts';
import { usersOf, type TreeUser } from '../support/tree-users.ts';

it('writes nothing of a container’s new owner where the former one may read it', async () => {
  await using tree = await mounted();
  await using made = await usersOf(tree, 2, { commands: true });
  const [alice, bob] = made.users as [TreeUser, TreeUser];
  await tree.ok(`mkdir c; chown ${alice.name}: c`);
  const serial = serialOf(Number(await tree.ok('stat -c %i c')) as NodeId);
  const { output } = stateFiles(tree.instance, serial);
  const says = async (who: Pick<TreeUser, 'ok'>, word: string) => {
    await who.ok(`nsdir run -d c -- echo ${word}`);
    await tree.ok('until grep -q stopped c/.state; do sleep 0.05; done');
    return await who.ok('nsdir logs c');
  };
  expect(await says(alice, 'hers')).toBe('hers');
  // What she has open stays open to her.
  const held = openSync(output, 'r');
  try {
    await tree.ok(`chown ${bob.name}: c`);
    expect(await says(bob, 'his')).toBe('his');
    expect(statSync(output).uid).toBe(bob.uid);
    await tree.ok('chown root: c');
    await tree.nsdir('run', '-d', 'c', '--', 'echo', 'roots');
    await tree.ok('until grep -q stopped c/.state; do sleep 0.05; done');
    expect([readFileSync(output, 'utf8'), statSync(output).uid]).toEqual(['roots\n', 0]);
    expect(readFileSync(held, 'utf8')).toBe('hers\n');
  } finally {
    closeSync(held);
  }
});
