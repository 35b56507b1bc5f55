import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { cgroupsOf, processesOf } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

/** What a refused start leaves: the container as it was, the reason, no process, no cgroup. */
async function expectNothing(tree: Mounted, name: string, reason: RegExp): Promise<void> {
  expect(await tree.ok(`cat ${name}/.error`)).toMatch(reason);
  expect(await tree.sh(`cat ${name}/.state`)).toMatchObject({ status: 1 });
  expect(await tree.ok(`ls -A ${name}`)).toBe('.error');
  await eventually(() => processesOf(tree).length === 0, 'no process and no zombie is left');
  expect(cgroupsOf(tree)).toEqual([]);
}

it('leaves nothing of a start that fails in the init, says why, and starts once the cause is gone', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  const { stateDir } = tree.instance;
  renameSync(stateDir, `${stateDir}.away`);
  try {
    expect(await tree.sh('echo running > web/.state')).toMatchObject({ status: 1 });
  } finally {
    renameSync(`${stateDir}.away`, stateDir);
  }
  await expectNothing(tree, 'web', /^ENOENT: Cannot start "web": bind its socket/);
  await tree.ok('echo running > web/.state && cat web/.state');
  expect(await tree.sh('cat web/.error')).toMatchObject({ status: 1 });
});

it.each([0, 1, 2])('leaves nothing of a start that may make only %i more cgroups', async (more) => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job');
  const limit = path.join(tree.cgroup(), 'cgroup.max.descendants');
  const there = /^nr_descendants (\d+)$/m.exec(readFileSync(path.join(tree.cgroup(), 'cgroup.stat'), 'utf8'))?.[1];
  writeFileSync(limit, String(Number(there) + more));
  try {
    expect(await tree.sh('echo running > web/job/.state')).toMatchObject({ status: 1 });
  } finally {
    writeFileSync(limit, 'max');
  }
  await expectNothing(tree, 'web/job', /^EAGAIN: /);
});

it('leaves nothing of a nested start that fails, and what is around it runs on', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state && mkdir web/job');
  const [processes, cgroups] = [processesOf(tree), cgroupsOf(tree)];
  const { stateDir } = tree.instance;
  renameSync(stateDir, `${stateDir}.away`);
  try {
    expect(await tree.sh('echo running > web/job/.state')).toMatchObject({ status: 1 });
  } finally {
    renameSync(`${stateDir}.away`, stateDir);
  }
  await eventually(() => processesOf(tree).length === processes.length, 'no process and no zombie is left');
  expect(cgroupsOf(tree)).toEqual(cgroups);
  expect(await tree.ok('cat web/.state; ls -A web/job')).toBe('running\n.error');
});

it('says of nsdir run why it cannot start, with 125, and removes what it made', async () => {
  await using tree = await mounted();
  const { stateDir } = tree.instance;
  renameSync(stateDir, `${stateDir}.away`);
  try {
    const { status, stderr } = await tree.nsdir('run', 'web', '--', 'true');
    expect(status).toBe(125);
    expect(stderr).toMatch(/Cannot start .*: bind its socket/);
  } finally {
    renameSync(`${stateDir}.away`, stateDir);
  }
  expect(await tree.ok('ls')).toBe('');
  expect(cgroupsOf(tree)).toEqual([]);
});
