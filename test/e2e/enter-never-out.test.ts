import { expect, it } from 'vitest';
import { inside, initOf, namespace, okInside, procsOf } from '../support/containers.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

async function entered(tree: Mounted, name: string): Promise<number> {
  const { pid = 0 } = tree.background('sleep', '1000');
  await tree.ok(`ln -s ${tree.dir}/${name} .proxy/${pid}`);
  return pid;
}

it.each(['other', 'web', 'other/in', '.'])('lets nobody out of web/job to %s', async (to) => {
  await using tree = await mounted();
  await tree.ok(
    'mkdir web web/job other other/in; for c in web web/job other other/in; do echo running > $c/.state; done',
  );
  const pid = await entered(tree, 'web/job');
  const before = namespace(pid, 'mnt');
  const { status, stderr } = await tree.sh(`ln -sfn ${tree.dir}/${to} .proxy/${pid}`);
  expect(status).toBe(1);
  expect(stderr).toContain('Operation not permitted');
  expect(namespace(pid, 'mnt')).toBe(before);
  expect(await procsOf(tree, 'web/job')).toContain(pid);
  if (to !== '.') expect(await tree.ok(`cat ${to}/.error`)).toMatch(/^EPERM: .*a process only enters deeper$/);
});

it('is told so when it asks for where it is already', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const pid = await entered(tree, 'web');
  expect(await tree.sh(`ln -sfn ${tree.dir}/web .proxy/${pid}`)).toMatchObject({ status: 1 });
  expect(await tree.ok('cat web/.error')).toMatch(/^EPERM: .*it is in it already/);
});

it('takes part of a container by no way that leads out either', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web other; for c in web other; do echo "running +net" > $c/.state; done');
  const pid = await entered(tree, 'web');
  expect(await tree.sh(`ln other/.ns/net .proxy/${pid}`)).toMatchObject({ status: 1 });
  expect(namespace(pid, 'net')).toBe(namespace(await initOf(tree, 'web'), 'net'));
});

it('enters from inside what is inside, by names and pids as they are there', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job other');
  const said = await okInside(
    tree,
    'web',
    `cd ${tree.dir}; sleep 100 & ln -s ${tree.dir}/job .proxy/$! && ls .proxy && echo $! && cat job/.procs && readlink .proxy/$!; kill $!`,
  );
  const [listed, pid, ...rest] = said.split('\n');
  expect(listed).toBe(pid);
  expect(rest).toContain(pid);
  expect(rest.at(-1)).toBe('../job');
});

it('finds from inside nothing outside to enter', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job other; echo running > other/.state');
  for (const to of [`${tree.dir}/other`, '../../other', `${tree.dir}/../other`, '/other']) {
    const { status, stderr } = await inside(tree, 'web', `ln -s ${to} ${tree.dir}/.proxy/self`);
    expect(status, to).not.toBe(0);
    // One that is found would be refused, too.
    expect(stderr, to).toMatch(/No such file or directory|Invalid argument/);
  }
  expect(await tree.ok('ls -A .proxy; cat other/.procs | wc -l')).toBe('1');
});

it('has no process outside enter at the word of one inside', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job');
  const { pid = 0 } = tree.background('sleep', '1000');
  expect((await inside(tree, 'web', `ln -s ${tree.dir}/job ${tree.dir}/.proxy/${pid}`)).status).not.toBe(0);
  expect(namespace(pid, 'mnt')).toBe(namespace('self', 'mnt'));
});
