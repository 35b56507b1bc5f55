import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { bomb } from '../support/bomb.ts';
import { scratch } from '../support/containers.ts';
import { discovering, lostEvents, shown } from '../support/found.ts';
import { scoreOf } from '../support/random-tree.ts';

const SEEDS = [11, 12, 13, 14, 15] as const;

it('finds out who made what while a fork bomb has all pids given again every few seconds', async () => {
  using files = scratch();
  await using tree = await discovering('exact');
  const go = files.at('go');
  await using fury = await bomb(go);
  await shown(tree, fury.pid);
  writeFileSync(go, '');
  const scores = [];
  for (const seed of SEEDS) scores.push(await scoreOf(tree, seed));
  expect(scores.reduce((sum, { sets }) => sum + sets, 0)).toBeGreaterThan(10);
  const wrong = scores.flatMap((score) => score.wrong);
  expect(wrong, [...wrong, ...lostEvents(tree)].join('\n')).toEqual([]);
});
