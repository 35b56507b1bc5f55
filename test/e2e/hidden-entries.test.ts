import { expect, it } from 'vitest';
import { inside } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';

const OF_RUNNING = [
  ...['.cgroup', '.checkpoint', '.events', '.init', '.ns', '.nsproxy', '.procs', '.signal', '.stat', '.state'],
];

it('shows a control entry only while it has something to say', async () => {
  await using tree = await mounted();
  const listed = async () => (await tree.ok('LC_ALL=C ls -A web')).split('\n').filter(Boolean);
  await tree.ok('mkdir web');
  expect(await listed()).toEqual([]);
  for (const name of [...OF_RUNNING, '.exit', '.error']) {
    expect((await tree.sh(`stat web/${name}`)).stderr, name).toContain('No such file or directory');
  }

  await tree.ok('echo running > web/.state');
  expect(await listed()).toEqual(OF_RUNNING);

  await tree.sh('echo nonsense > web/.state');
  expect(await listed()).toEqual([...OF_RUNNING, '.error'].sort());
  await tree.ok('rm web/.error');
  expect(await listed()).toEqual(OF_RUNNING);

  await tree.ok('echo stopped > web/.state');
  expect(await listed()).toEqual(['.events', '.exit', '.state']);
  expect(await tree.ok('cat web/.state web/.exit')).toBe('stopped\n137');
  await tree.ok('rm web/.exit');
  expect(await listed()).toEqual(['.events', '.state']);

  expect(await inside(tree, 'web', 'exit 3')).toMatchObject({ status: 3 });
  await eventually(async () => (await listed()).includes('.state'), 'the entries are listed');
});

it('shows containers only to a plain ls, a glob and ls -R', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job db; for c in web web/job; do echo running > $c/.state; done');
  expect(await tree.ok('ls; echo *; ls -R')).toBe('db\nweb\ndb web\n.:\ndb\nweb\n\n./db:\n\n./web:\njob\n\n./web/job:');
});

it('answers .self everywhere and lists it in the root only', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  expect(await tree.ok('readlink .self; ls -A | grep self')).toBe('.\n.self');
  expect((await tree.sh('ls -A web | grep self')).stdout).toBe('');
  expect((await inside(tree, 'web', `readlink ${tree.dir}/.self`)).stdout).toBe('.');
});
