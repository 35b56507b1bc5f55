import { afterAll, beforeAll, expect, it } from 'vitest';
import { namespace, initOf } from '../support/containers.ts';
import { isAlive, mounted, type Mounted } from '../support/mounted.ts';

const ALICE = 1001;
const BOB = 1002;

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
  // Root started them, and gave them away.
  await tree.ok('chmod 755 ..; mkdir alices bobs open; for c in alices bobs open; do echo running > $c/.state; done');
  await tree.ok(`chown ${ALICE}:${ALICE} alices; chown ${BOB}:${BOB} bobs; chmod 700 alices bobs; chmod 777 open`);
});
afterAll(() => tree[Symbol.asyncDispose]());

function sleeperOf(uid: number): number {
  return tree.background('setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sleep', '1000').pid!;
}

it("does not let alice into bob's container, by whatever way she asks", async () => {
  for (const attempt of [
    `ln -s ${tree.dir}/bobs .proxy/self`,
    `ln -s ${tree.dir}/bobs .proxy/$$`,
    'ln bobs/.nsproxy .proxy/$$',
    'ln bobs/.ns/uts .proxy/$$',
    'echo $$ > bobs/.procs',
    `ln -s ${tree.dir}/bobs .proxy/x && mv .proxy/x .proxy/$$`,
  ]) {
    const { status, stderr } = await tree.as(ALICE, attempt);
    expect(status, attempt).not.toBe(0);
    expect(stderr, attempt).toMatch(/Permission denied|cannot create/);
  }
});

it("does not let alice make bob's shell, or root's, enter anything", async () => {
  for (const pid of [sleeperOf(BOB), tree.background('sleep', '1000').pid!]) {
    for (const to of ['alices', 'open']) {
      const { status, stderr } = await tree.as(ALICE, `ln -s ${tree.dir}/${to} .proxy/${pid}`);
      expect(status).toBe(1);
      expect(stderr).toContain('Operation not permitted');
      expect(await tree.ok(`cat ${to}/.error`)).toMatch(/EPERM: .*the caller may not trace process/);
    }
    expect(isAlive(pid)).toBe(true);
    expect(namespace(pid, 'uts')).toBe(namespace('self', 'uts'));
  }
});

it('says in .error who asked, if that was neither the owner nor root, so that he does not take it for his own', async () => {
  const refused = async (container: string, ask: (script: string) => Promise<unknown>) => {
    await ask(`ln -s ${tree.dir}/${container} .proxy/1`);
    return await tree.ok(`cat ${container}/.error; rm -f ${container}/.error`);
  };
  const asAlice = (script: string) => tree.as(ALICE, script);
  expect(await refused('open', asAlice)).toMatch(/^EPERM: .* \(asked by uid 1001\)$/);
  expect(await refused('alices', asAlice)).toMatch(/^EPERM: [^()]*\S*(?<!asked by uid 1001\))$/);
  expect(await refused('alices', (script) => tree.sh(script))).not.toContain('asked by');
});

it('lets nobody have a process of more rights enter: one that became root by a set-uid program', async () => {
  const child = tree.background('setpriv', `--ruid=${ALICE}`, `--rgid=${ALICE}`, '--clear-groups', 'sleep', '1000');
  expect(await tree.as(ALICE, `ln -s ${tree.dir}/open .proxy/${child.pid}`)).toMatchObject({ status: 1 });
  expect(namespace(child.pid!, 'uts')).toBe(namespace('self', 'uts'));
});

it("leaves it to the kernel what her own process may join, and tells her the kernel's reason", async () => {
  const { status, stderr } = await tree.as(ALICE, `ln -s ${tree.dir}/alices .proxy/$$`);
  expect(status).toBe(1);
  expect(stderr).toContain('Operation not permitted');
  const { stdout } = await tree.as(ALICE, 'cat alices/.error');
  expect(stdout).toMatch(/EPERM: .*setns.*CAP_SYS_ADMIN/);
  expect(await tree.ok('cat alices/.procs')).toBe(String(await initOf(tree, 'alices')));
});

it("refuses alice bob's and root's containers in all else too", async () => {
  for (const attempt of [
    'echo TERM > bobs/.signal',
    'echo frozen > bobs/.state',
    'echo stopped > open/.state',
    'mv bobs taken',
    'rm -rf bobs',
    'rmdir bobs',
    'cat bobs/.procs',
  ]) {
    expect((await tree.as(ALICE, attempt)).status, attempt).not.toBe(0);
  }
  expect(await tree.ok('cat bobs/.state open/.state')).toBe('running\nrunning');
});

it('lets alice do all of it in her own', async () => {
  await using other = await mounted();
  await other.ok(
    `chmod 755 ..; mkdir a a/job; echo running > a/.state; echo running > a/job/.state; chown -R ${ALICE}:${ALICE} a a/job`,
  );
  const can = async (script: string) => {
    const { status, stderr } = await other.as(ALICE, script);
    expect(status, `${script}: ${stderr}`).toBe(0);
  };
  await can('echo frozen > a/job/.state; grep -q frozen a/job/.state');
  await can('echo running > a/job/.state');
  await can('mv a/job a/work');
  await can('mkdir a/more && rmdir a/more');
  await can('echo stopped > a/work/.state');
  await can('rm -rf a/work');
  expect(await other.ok('ls a; cat a/.state')).toBe('running');
});

it("does not let alice rename or remove links of root's that wait in .proxy", async () => {
  await tree.ok(`ln -s ${tree.dir}/open .proxy/mine`);
  for (const attempt of [
    'rm -f .proxy/mine',
    'mv .proxy/mine .proxy/hers',
    `ln -s ${tree.dir}/alices .proxy/hers && mv -fT .proxy/hers .proxy/mine`,
    'mv .proxy/mine .proxy/self',
  ]) {
    expect((await tree.as(ALICE, attempt)).status, attempt).not.toBe(0);
  }
  expect(await tree.ok('readlink .proxy/mine; rm .proxy/mine')).toBe(`${tree.dir}/open`);
});
