import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

it('keeps the machine itself from being removed, renamed and stopped', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  for (const attempt of [`rmdir ${tree.dir}`, `mv ${tree.dir} ${tree.dir}2`]) {
    expect((await tree.sh(attempt)).stderr, attempt).toContain('Device or resource busy');
  }
  for (const word of ['stopped', 'frozen', 'running']) {
    expect((await tree.sh(`/bin/echo ${word} > .state`)).stderr, word).toContain('Device or resource busy');
    expect(await tree.ok('cat .error'), word).toContain('EBUSY');
  }
  expect((await tree.sh('rm -rf .')).status).not.toBe(0);
  expect(await tree.ok('cat .state web/.state')).toBe('running\nrunning');
});
