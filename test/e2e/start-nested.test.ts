import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { initOf, namespace, okInside } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

it('puts the namespaces of web/job below those of web', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  const [web, job] = [await initOf(tree, 'web'), await initOf(tree, 'web/job')];
  for (const kind of ['mnt', 'uts', 'ipc', 'pid', 'cgroup']) {
    expect(namespace(job, kind), kind).not.toBe(namespace(web, kind));
    expect(namespace(job, kind), kind).not.toBe(namespace('self', kind));
  }
  // One pid per level: ours, web's, job's (proc_pid_status(5)).
  expect(/^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${job}/status`, 'utf8'))?.[1]).toMatch(/^\d+\t\d+\t1$/);
});

it('lets web see the processes of web/job, and not the other way round', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  expect(await okInside(tree, 'web', 'cat /proc/[0-9]*/comm | grep -c nsdir-init')).toBe('2');
  expect(await okInside(tree, 'web/job', 'cat /proc/[0-9]*/comm | grep -c nsdir-init')).toBe('1');
  expect(await okInside(tree, 'web/job', 'hostname')).toBe('job');
});

it('puts the cgroup of web/job into that of web', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  const [web, job] = [await tree.ok('readlink web/.cgroup'), await tree.ok('readlink web/job/.cgroup')];
  expect(job.slice(0, job.lastIndexOf('/'))).toBe(web);
  expect(readFileSync(`/proc/${await initOf(tree, 'web/job')}/cgroup`, 'utf8')).toContain(
    job.slice(job.lastIndexOf(`/${tree.instance.cgroupName}/`)),
  );
});

it('starts web/job on its own where web does not run, and web beside it later', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/job/.state');
  expect(existsSync(`/proc/${await initOf(tree, 'web/job')}`)).toBe(true);
  expect(await tree.sh('cat web/.state')).toMatchObject({ status: 1 });
  await tree.ok('echo running > web/.state');
  expect(await tree.ok('cat web/.state web/job/.state')).toBe('running\nrunning');
});

it('nests eight deep', async () => {
  await using tree = await mounted();
  const names = Array.from({ length: 8 }, (_, index) => `c${index}`);
  await tree.ok(`at=.; for name in ${names.join(' ')}; do at=$at/$name; mkdir $at && echo running > $at/.state; done`);
  const deepest = names.join('/');
  expect(await okInside(tree, deepest, `hostname; readlink ${tree.dir}/.self`)).toBe('c7\n.');
  const status = readFileSync(`/proc/${await initOf(tree, deepest)}/status`, 'utf8');
  expect(/^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split('\t')).toHaveLength(9);
});
