import { afterAll, beforeAll, expect, it } from 'vitest';
import { initOf, processesOf } from '../support/containers.ts';
import { isAlive, mounted, type Mounted } from '../support/mounted.ts';
import { publicCopy } from '../support/public-copy.ts';

let copy: Awaited<ReturnType<typeof publicCopy>>;
beforeAll(async () => {
  copy = await publicCopy();
});
afterAll(() => copy[Symbol.asyncDispose]());

/** `nsdir run`, for a user who cannot read this checkout. */
const runBy = ({ dir }: Mounted) => `NSDIR_MOUNT=${dir} '${process.execPath}' '${copy.nsdir}' run`;

it('does not start a container of an ordinary user, and tells him why', async () => {
  await using tree = await mounted();
  await tree.ok('chmod 1777 .; chmod 755 ..');
  await tree.as(1001, 'mkdir mine');
  for (const who of [0, 1001]) {
    const { status, stderr } = await tree.as(who, '/bin/echo running > mine/.state');
    expect(status).not.toBe(0);
    expect(stderr).toContain('Operation not permitted');
    const reason = (await tree.as(1001, 'cat mine/.error')).stdout;
    expect(reason.split('\n')).toHaveLength(1);
    expect(reason).toMatch(/EPERM.*uid 1001.*chown root/);
    expect(await tree.ok('rm mine/.error; ls -A mine')).toBe('');
  }
  expect(processesOf(tree)).toEqual([]);
});

it('runs nothing as root for an ordinary user, by whatever way he asks', async () => {
  await using tree = await mounted();
  await tree.ok('chmod 1777 .; chmod 755 ..; mkdir roots; chmod 777 roots');
  const run = runBy(tree);
  const attempts = [
    'mkdir mine; echo running > mine/.state',
    'mkdir mine2; mkdir mine2/.ns; touch mine2/.ns/user; echo running > mine2/.state',
    'echo running > roots/.state',
    'echo "running user" > roots/.state',
    'mkdir roots/in; echo running > roots/in/.state',
    `${run} mine -- id`,
    `${run} roots -- id`,
    `${run} new -- id`,
  ];
  for (const attempt of attempts) {
    const { status, stdout, stderr } = await tree.as(1001, attempt);
    expect(status, attempt).not.toBe(0);
    expect(stderr, attempt).toMatch(/^(nsdir run|sh|mkdir|touch): /m);
    expect(stdout, attempt).not.toContain('uid=0');
    expect(processesOf(tree), attempt).toEqual([]);
  }
});

it('gives a user to whom root gave a running container no way to run anything in it as root', async () => {
  await using tree = await mounted();
  await tree.ok('chmod 755 ..; mkdir web; echo running > web/.state; chown 1001:1001 web');
  const [init] = processesOf(tree);
  const run = runBy(tree);
  expect((await tree.as(1001, `${run} web -- id`)).stdout).not.toContain('uid=0');
  expect(processesOf(tree)).toEqual([init]);
  expect(await tree.as(1001, 'echo stopped > web/.state')).toMatchObject({ status: 0 });
  expect((await tree.as(1001, 'echo running > web/.state')).status).not.toBe(0);
  expect(processesOf(tree)).toEqual([]);
});

it("starts it when it is root's again", async () => {
  await using tree = await mounted();
  await tree.ok('chmod 1777 .');
  await tree.as(1001, 'mkdir mine');
  await tree.ok('chown root mine && echo running > mine/.state');
  expect(isAlive(await initOf(tree, 'mine'))).toBe(true);
});
