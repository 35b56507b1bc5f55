import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { detached, inside, nothingLeft, processesOf } from '../support/containers.ts';
import { eventually, mounted, type Outcome } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

/** What is gone by the time one comes to it is no failure of the other. */
function expectGone({ stderr }: Outcome): void {
  for (const line of stderr.split('\n').filter(Boolean)) expect(line).toMatch(/No such file or directory$/);
}

it('lets two rm -rf at once have the same tree: nothing hangs, at most one finds it gone', async () => {
  await using tree = await mounted();
  for (let round = 0; round < 5; round++) {
    await tree.ok(
      'mkdir web web/a web/b web/a/c && for name in web web/a web/b web/a/c; do echo running > $name/.state; done',
    );
    await detached(tree, 'web/a', workload('deaf'));
    const [first, second] = await Promise.all([tree.sh('rm -rf web'), tree.sh('rm -rf web')]);
    expect(await tree.sh('ls -d web')).toMatchObject({ status: 2 });
    for (const outcome of [first, second]) expectGone(outcome);
    await nothingLeft(tree);
  }
});

it('lets rm -rf of a container and of one inside run at once', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/a && echo running > web/.state && echo running > web/a/.state');
  const [outer, inner] = await Promise.all([tree.sh('rm -rf web'), tree.sh('rm -rf web/a')]);
  expect([outer.status, inner.status]).toContain(0);
  for (const outcome of [outer, inner]) expectGone(outcome);
  await tree.ok('rm -rf web');
  await nothingLeft(tree);
});

it('removes a container that is being started: either the start or nothing is left', async () => {
  await using tree = await mounted();
  const standStill = (frozen: boolean) => {
    writeFileSync(`${tree.cgroup()}/cgroup.freeze`, frozen ? '1' : '0');
  };
  for (let round = 0; round < 10; round++) {
    await tree.ok('mkdir web');
    // In every other round the removal comes while the init is being made.
    standStill(round % 2 === 1);
    const starting = tree.sh('echo running > web/.state');
    if (round % 2 === 1) await eventually(() => processesOf(tree).length === 1, 'an init is being made');
    const removing = tree.sh(`sleep 0.00${round}; rm -rf web`);
    if (round % 2 === 1) await sleep(100);
    standStill(false);
    await Promise.all([starting, removing]);
    // By now it runs or does not: nothing changes while this looks for what there is to remove.
    expect(await tree.sh('rm -rf web')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await tree.ok('ls')).toBe('');
    await nothingLeft(tree);
  }
});

it('creates, starts and removes 50 containers from parallel shells', async () => {
  await using tree = await mounted();
  await Promise.all(
    Array.from({ length: 50 }, (_, index) => tree.ok(`mkdir c${index} && echo running > c${index}/.state`)),
  );
  expect(processesOf(tree)).toHaveLength(50);
  expect(await tree.ok('cat */.state | sort | uniq -c | tr -s " "')).toBe(' 50 running');
  await Promise.all(Array.from({ length: 50 }, (_, index) => tree.ok(`rm -rf c${index}`)));
  expect(await tree.ok('ls')).toBe('');
  await nothingLeft(tree);
});

it('removes 100 running containers with one rm -rf', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir all && for i in $(seq 100); do mkdir all/c$i && echo running > all/c$i/.state; done');
  expect(processesOf(tree)).toHaveLength(100);
  await tree.ok('rm -rf all');
  expect(await tree.ok('ls')).toBe('');
  await nothingLeft(tree);
});

it('is removed from inside: who asks dies with it', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state');
  await detached(tree, 'web', ['sh', '-c', `rm -rf ${tree.dir}/job; sleep 1000`]);
  await eventually(async () => (await tree.ok('ls web')) === '', 'the job is gone');
  expect(await tree.ok('cat web/.state')).toBe('running');
  await tree.ok('rm -rf web');
  // Without a mount namespace it sees itself.
  await tree.ok('mkdir own && echo running uts > own/.state');
  expect(await inside(tree, 'own', `rm -rf ${tree.dir}/own; echo lives`)).toMatchObject({ status: 137, stdout: '' });
  expect(await tree.ok('ls')).toBe('');
  await nothingLeft(tree);
});
