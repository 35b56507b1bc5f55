import { expect, it } from 'vitest';
import { inside } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';

it('keeps the exit status, 128+n for a signal, until it is removed', async () => {
  await using tree = await mounted();
  await inside(tree, 'one', 'exit 3');
  await inside(tree, 'two', 'kill -USR1 $$');
  await eventually(async () => (await tree.ok('cat one/.exit two/.exit')) === '3\n138', 'both are told');
  expect(await tree.ok('stat -c %s one/.exit && ls -A one')).toBe('2\n.events\n.exit\n.state');
  await tree.ok('rm one/.exit');
  expect(await tree.sh('cat one/.exit')).toMatchObject({ status: 1 });
  expect(await tree.ok('cat two/.exit')).toBe('138');
});

it('does not come back by itself after it was removed', async () => {
  await using tree = await mounted();
  await inside(tree, 'web', 'exit 3');
  await eventually(async () => (await tree.ok('cat web/.exit')) === '3', 'it is told');
  await tree.ok('rm web/.exit && mv web home && chmod 700 home');
  // A command, though a wrong one, shows again what was only hidden.
  expect(await tree.sh('echo sideways > home/.state')).toMatchObject({ status: 1 });
  expect(await tree.sh('cat home/.exit')).toMatchObject({ status: 1 });
  expect(await tree.ok('cat home/.state')).toBe('stopped');
});

it('is gone once the container runs anew', async () => {
  await using tree = await mounted();
  await inside(tree, 'web', 'exit 3');
  await eventually(async () => (await tree.ok('cat web/.exit')) === '3', 'it is told');
  await tree.ok('echo running > web/.state');
  expect(await tree.sh('cat web/.exit')).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/.state; ls -l web/.init | wc -l')).toBe('running\n1');
});

it('keeps in .error the last refusal, one line, until it is removed or the container starts', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await tree.sh('echo sideways > web/.state')).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/.error')).toBe(
    'EINVAL: Cannot write "sideways" to .state: write running, running KIND,…, running +KIND,…, frozen or stopped',
  );
  expect(await tree.sh('echo frozen > web/.state')).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/.error')).toMatch(/^EBUSY: Cannot freeze "web": it is declared; start it first$/);
  await tree.ok('rm web/.error');
  expect(await tree.ok('ls -A web')).toBe('');
  expect(await tree.sh('echo sideways > web/.state')).toMatchObject({ status: 1 });
  await tree.ok('echo running > web/.state');
  expect(await tree.sh('cat web/.error')).toMatchObject({ status: 1 });
});
