import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

it('lets every user keep containers in a sticky directory, as in /tmp', async () => {
  await using tree = await mounted();
  expect((await tree.as(1001, 'mkdir early')).stderr).toContain('Permission denied');
  await tree.ok('chmod 1777 .');
  expect(await tree.ok('stat -c %a .')).toBe('1777');
  expect(await tree.as(1001, 'mkdir mine mine/job')).toMatchObject({ status: 0 });

  const attempts = [
    'rmdir mine',
    'mv mine taken',
    'mv mine ../taken',
    'mkdir mine/more',
    'rmdir mine/job',
    'rm -rf mine',
  ];
  for (const attempt of attempts) {
    const { status, stderr } = await tree.as(1002, attempt);
    expect(status, attempt).not.toBe(0);
    expect(stderr, attempt).toMatch(/Operation not permitted|Permission denied/);
  }
  expect(await tree.ok('ls; ls mine')).toBe('mine\njob');

  expect(await tree.as(1002, 'mkdir theirs && mv theirs still')).toMatchObject({ status: 0 });
  expect(await tree.as(1001, 'mv mine renamed && rm -rf renamed')).toMatchObject({ status: 0 });
  expect(await tree.ok('rmdir still && ls')).toBe('');
});
