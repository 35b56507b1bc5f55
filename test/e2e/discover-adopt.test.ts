import { expect, it } from 'vitest';
import { discovering, numberOf, shown, unshared, vanished } from '../support/found.ts';
import { isAlive } from '../support/mounted.ts';

it('keeps the name that mv gave for life, across daemons, and vanishes all the same', async () => {
  await using tree = await discovering();
  const home = `home-${process.pid}`;
  let before = '';
  {
    await using maker = await unshared(['--mount']);
    const at = await shown(tree, maker.pid);
    before = await numberOf(tree, at);
    await tree.ok(`mv ${at} ${home}`);
    expect(await tree.ok(`cat ${home}/.origin`)).toBe('adopted');
    await tree.killDaemon();
    await tree.killDaemon();
    expect(await tree.ok(`stat -c %i ${home}; cat ${home}/.origin ${home}/.state`)).toBe(`${before}\nadopted\nrunning`);
    expect(await tree.ok(`cat ${home}/.procs`)).toBe(String(maker.pid));
  }
  await vanished(tree, before);
});

it('is moved under another container, and dies with that', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--mount']);
  const at = await shown(tree, maker.pid);
  await tree.ok(`mkdir house && mv ${at} house/room`);
  expect(await tree.ok('cat house/room/.state')).toBe('running');
  await tree.ok('rm -rf house');
  expect(isAlive(maker.pid)).toBe(false);
});
