import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

const REMOVER = fileURLToPath(new URL('../support/remove-while-ending.py', import.meta.url));

it('can be removed although it ends between the listing and the removal of its entries', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  expect(await tree.sh(`python3 ${REMOVER} web`)).toMatchObject({ status: 0, stderr: '' });
  expect(await tree.ok('ls')).toBe('');
});
