import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detached, initOf, okInside, procsOf } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';

it('lists in .procs the processes of the container itself, as its cgroup has them', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  await detached(tree, 'web', ['sleep', '1000']);
  const listed = await procsOf(tree, 'web');
  expect(listed).toHaveLength(2);
  expect(listed[0]).toBe(await initOf(tree, 'web'));
  const cgroups = listed.map((pid) => readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
  expect(new Set(cgroups).size).toBe(1);
  expect(await procsOf(tree, 'web/job')).toEqual([await initOf(tree, 'web/job')]);
});

it('gives each reader the pids of his own pid namespace', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  expect(await okInside(tree, 'web', `cat ${tree.dir}/.procs; readlink ${tree.dir}/.init ${tree.dir}/.ns/uts`)).toMatch(
    /^1\n\d+\n\d+\n\/proc\/1\n\/proc\/1\/ns\/uts$/,
  );
  const jobSeenFromWeb = await okInside(tree, 'web', `cat ${tree.dir}/job/.procs`);
  // Neither web's own init nor what the job knows its own by.
  expect(jobSeenFromWeb).not.toBe('1');
  expect(await okInside(tree, 'web', `cat /proc/${jobSeenFromWeb}/comm`)).toBe('nsdir-init');
  expect(await okInside(tree, 'web', `readlink ${tree.dir}/job/.init`)).toBe(`/proc/${jobSeenFromWeb}`);
  expect(await okInside(tree, 'web/job', `cat ${tree.dir}/.procs | head -n 1; readlink ${tree.dir}/.init`)).toBe(
    '1\n/proc/1',
  );
  expect(await procsOf(tree, 'web/job')).toEqual([await initOf(tree, 'web/job')]);
  expect(String(await initOf(tree, 'web/job'))).not.toBe(jobSeenFromWeb);
});

it('never serves one reader what another one was told', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const init = String(await initOf(tree, 'web'));
  for (let round = 0; round < 3; round++) {
    expect(await tree.ok('readlink web/.init; cat web/.procs')).toBe(`/proc/${init}\n${init}`);
    // What is made for a stat is kept for the open that follows it, of the same reader.
    await tree.ok('stat web/.procs');
    expect(await okInside(tree, 'web', `readlink ${tree.dir}/.init; head -n 1 ${tree.dir}/.procs`)).toBe('/proc/1\n1');
  }
});

it('names nothing to a reader in a pid namespace that does not have the processes', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  expect(await tree.ok('unshare --pid --fork --mount-proc cat web/.procs')).toBe('');
  expect(await tree.sh('unshare --pid --fork --mount-proc readlink web/.init')).toMatchObject({
    status: 1,
    stdout: '',
  });
  expect(await tree.sh('unshare --pid --fork --mount-proc readlink web/.ns/net')).toMatchObject({ status: 1 });
  expect(await tree.ok('unshare --pid --fork --mount-proc cat web/.state')).toBe('running');
});

it('drops from .procs what has ended, and shows what has begun', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  await detached(tree, 'web', ['sleep', '0.5']);
  expect(await procsOf(tree, 'web')).toHaveLength(2);
  await eventually(async () => (await procsOf(tree, 'web')).length === 1, 'only the init is left');
});
