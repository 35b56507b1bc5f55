import { expect, it } from 'vitest';
import { discovering, numberOf, shown, unshared, vanished } from '../support/found.ts';

it('finds the same tree with the same numbers after the daemon died, and what came and went meanwhile', async () => {
  await using tree = await discovering();
  await using one = await unshared(['--mount'], 'unshare --uts sleep 1000 & exec sleep 1000');
  const two = await unshared(['--ipc']);
  const [a, b] = [await shown(tree, one.pid), await shown(tree, two.pid)];
  await tree.ok(`until [ -d ${a}/unnamed1 ]; do sleep 0.05; done; mkdir ${a}/made`);
  const look = `find ${a} ! -path '*/.*' -type d -exec stat -c '%n %i' {} + | sort; cat ${a}/.procs ${a}/unnamed1/.procs`;
  const before = await tree.ok(look);
  const number = await numberOf(tree, b);
  const killing = tree.killDaemon();
  await two[Symbol.asyncDispose]();
  await killing;
  await using three = await unshared(['--net']);
  expect(await tree.ok(look)).toBe(before);
  await shown(tree, three.pid);
  await vanished(tree, number);
  expect(await tree.ok(look)).toBe(before);
});
