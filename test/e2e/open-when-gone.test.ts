import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

it('reads to its end what was unlinked while it was open, as a file without a name', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await tree.sh('echo frozen > web/.state')).toMatchObject({ status: 1 });
  const text = await tree.ok('cat web/.error');
  expect(await tree.ok('{ rm web/.error; stat -L -c %h /dev/fd/0; cat; } < web/.error')).toBe(`0\n${text}`);
});

it('tells who has .events open that the container was killed and removed', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const heard = tree.ok('{ rm -rf web; stat -L -c %F /dev/fd/0; cut -f 2 | tail -n 2; } < web/.events');
  expect(await heard).toBe('regular file\nkilled\nremoved');
});
