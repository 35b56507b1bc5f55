import { expect, it } from 'vitest';
import { initOf, namespace, procsOf } from '../support/containers.ts';
import { eventually, isAlive, mounted, type Mounted } from '../support/mounted.ts';

const KINDS = ['mnt', 'uts', 'ipc', 'pid_for_children', 'cgroup'];

/** A process that sleeps outside, and its pid. */
function outsider(tree: Mounted): number {
  return tree.background('sleep', '1000').pid!;
}

async function expectInside(tree: Mounted, pid: number, name: string): Promise<void> {
  const init = await initOf(tree, name);
  expect(KINDS.map((kind) => namespace(pid, kind))).toEqual(KINDS.map((kind) => namespace(init, kind)));
  expect(await procsOf(tree, name)).toContain(pid);
  expect(isAlive(pid)).toBe(true);
}

it.each([
  ['ln -s', (dir: string, pid: number) => `ln -s ${dir}/web .proxy/${pid}`],
  ['ln -s, as seen from .proxy', (_: string, pid: number) => `ln -s ../web .proxy/${pid}`],
  ['ln -s, as seen from here', (_: string, pid: number) => `ln -s web .proxy/${pid}`],
  ['ln -sf', (dir: string, pid: number) => `ln -sf ${dir}/web .proxy/${pid}`],
  ['busybox ln -s', (dir: string, pid: number) => `busybox ln -s ${dir}/web .proxy/${pid}`],
  ['busybox ln -sf', (dir: string, pid: number) => `busybox ln -sf ${dir}/web .proxy/${pid}`],
  ['ln', (_: string, pid: number) => `ln web/.nsproxy .proxy/${pid}`],
  ['ln -f', (_: string, pid: number) => `ln -f web/.nsproxy .proxy/${pid}`],
  ['busybox ln', (_: string, pid: number) => `busybox ln web/.nsproxy .proxy/${pid}`],
  ['mv', (dir: string, pid: number) => `ln -s ${dir}/web .proxy/later && mv .proxy/later .proxy/${pid}`],
  ['echo', (_: string, pid: number) => `echo ${pid} > web/.procs`],
])('has a running process enter by %s', async (_, command) => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const pid = outsider(tree);
  expect(await tree.ok(command(tree.dir, pid))).toBe('');
  await expectInside(tree, pid, 'web');
  expect(await tree.ok('ls -A .proxy')).toBe(String(pid));
});

it.each([
  ['ln -s', (dir: string, pid: number) => `ln -s ${dir}/web .proxy/${pid}`],
  ['ln, after others looked', (_: string, pid: number) => `! test -e web/.nsproxy && ln web/.nsproxy .proxy/${pid}`],
  ['ln -f', (_: string, pid: number) => `ln -f web/.nsproxy .proxy/${pid}`],
  ['busybox ln', (_: string, pid: number) => `busybox ln web/.nsproxy .proxy/${pid}`],
  ['busybox ln -f', (_: string, pid: number) => `busybox ln -f web/.nsproxy .proxy/${pid}`],
  ['link(2)', (_: string, pid: number) => `python3 -c 'import os; os.link("web/.nsproxy", ".proxy/${pid}")'`],
  ['echo', (_: string, pid: number) => `echo ${pid} > web/.procs`],
])('starts the container if it has not started: %s', async (_, command) => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  const pid = outsider(tree);
  await tree.ok(command(tree.dir, pid));
  await expectInside(tree, pid, 'web');
  expect(await tree.ok('tail -n 1 web/.events')).toMatch(/\tentered\t\.$/);
});

it('shows the .nsproxy of a container that has not started to nobody else', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await tree.sh('ls -A web; cp -p web/.nsproxy /dev/null')).toMatchObject({ stdout: '', status: 1 });
  expect(await tree.sh('stat web/.nsproxy')).toMatchObject({ status: 1 });
  await tree.ok('rmdir web');
});

it('has a shell enter by its own pid, and what it then starts is inside', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  const script = `ln -s ${tree.dir}/web ${tree.dir}/.proxy/$$ && hostname && readlink ${tree.dir}/.self && sh -c 'cat /proc/self/stat'`;
  expect(await tree.ok(script)).toMatch(/^web\n\.\n\d{1,2} \(cat\)/);
});

it.each(['dash', 'bash', 'busybox sh'])('has %s enter by writing its own pid to .procs', async (shell) => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  expect(await tree.ok(`${shell} -c 'echo $$ > web/.procs && hostname && cat /proc/uptime > /dev/null'`)).toBe('web');
});

it.each([
  ['symlink()', "os.symlink(d + '/web', d + '/.proxy/self')"],
  ['link()', "os.link(d + '/web/.nsproxy', d + '/.proxy/self')"],
  ['rename()', "os.symlink(d + '/web', d + '/.proxy/x'); os.rename(d + '/.proxy/x', d + '/.proxy/self')"],
  ['write()', "open(d + '/web/.procs', 'w').write('0')"],
])('has the caller of %s enter before the call returns', async (_, call) => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const script = `import os; d = ${JSON.stringify(tree.dir)}; ${call}; print(os.uname().nodename)`;
  expect(await tree.ok(`python3 -c ${quote(script)}`)).toBe('web');
});

it('goes on deeper from where it is', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job; echo running > web/.state');
  const pid = outsider(tree);
  await tree.ok(`ln -s ${tree.dir}/web .proxy/${pid}`);
  await tree.ok(`ln -sfn ${tree.dir}/web/job .proxy/${pid}`);
  await expectInside(tree, pid, 'web/job');
  expect(await tree.ok(`readlink .proxy/${pid}`)).toBe('../web/job');
});

it('dies with the container', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const child = tree.background('sleep', '1000');
  await tree.ok(`ln -s ${tree.dir}/web .proxy/${child.pid}`);
  await tree.ok('rm -rf web');
  await eventually(() => child.signalCode === 'SIGKILL', 'it is killed');
  expect(await tree.ok('ls -A .proxy')).toBe('');
});

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
