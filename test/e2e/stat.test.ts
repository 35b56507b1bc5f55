import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detached, okInside, procsOf, scratch } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

async function stat(tree: Mounted, name: string): Promise<Record<string, string>> {
  const text = await tree.ok(`cat ${name}/.stat`);
  return Object.fromEntries(text.split('\n').map((line) => line.split(' ') as [string, string]));
}

const number = async (tree: Mounted, name: string, key: string) => Number((await stat(tree, name))[key]);

it('counts processor time as it is used, that of nested containers too', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job idle && for name in web idle; do echo running > $name/.state; done');
  await detached(tree, 'web/job', workload('spin'));
  await eventually(async () => (await number(tree, 'web/job', 'cpu.usage_usec')) > 200_000, 'a fifth of a second');
  const [outer, inner] = [await stat(tree, 'web'), await stat(tree, 'web/job')];
  await tree.ok('echo stopped > web/job/.state');
  expect(Number(outer['cpu.usage_usec'])).toBeGreaterThan(200_000);
  expect(Number(inner['cpu.user_usec']) + Number(inner['cpu.system_usec'])).toBeLessThanOrEqual(
    Number(inner['cpu.usage_usec']),
  );
  expect(await number(tree, 'idle', 'cpu.usage_usec')).toBeLessThan(100_000);
  // What an ended one has used stays with the container around it.
  expect(await number(tree, 'web', 'cpu.usage_usec')).toBeGreaterThanOrEqual(Number(outer['cpu.usage_usec']));
});

it('agrees with the cgroup’s own files', async () => {
  await using tree = await mounted();
  await detached(tree, 'web', workload('spin'));
  await eventually(async () => (await number(tree, 'web', 'cpu.usage_usec')) > 200_000, 'a fifth of a second');
  // So that nothing is used between the two looks.
  await tree.ok('echo frozen > web/.state');
  const shown = await stat(tree, 'web');
  const own = await tree.ok("grep -E '^(usage|user|system)_usec ' web/.cgroup/cpu.stat");
  expect(own).toBe(['usage', 'user', 'system'].map((key) => `${key}_usec ${shown[`cpu.${key}_usec`]}`).join('\n'));
});

it('counts tasks of the subtree: processes and threads', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  expect(await number(tree, 'web', 'pids.current')).toBe(2);
  await detached(tree, 'web/job', ['sleep', '1000']);
  const threads =
    'import threading, time\nfor _ in range(4): threading.Thread(target=time.sleep, args=(1000,)).start()';
  await detached(tree, 'web', ['python3', '-c', threads]);
  await eventually(async () => (await number(tree, 'web', 'pids.current')) === 8, 'three processes, five threads');
  expect(await number(tree, 'web/job', 'pids.current')).toBe(2);
});

it('counts memory of the subtree, and says whether the controller or /proc tells it', async () => {
  using files = scratch();
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  const before = await number(tree, 'web', 'memory.current');
  await detached(tree, 'web/job', workload('hold-memory', '64', files.at('ready')));
  await eventually(() => files.read('ready') === 'ready\n', 'it holds 64 MiB');
  for (const name of ['web', 'web/job']) {
    expect(await number(tree, name, 'memory.current'), name).toBeGreaterThan(before + 64 * 2 ** 20);
    expect(await number(tree, name, 'memory.current'), name).toBeLessThan(before + 128 * 2 ** 20);
  }
  const controllers = readFileSync(`${await tree.ok('readlink web/.cgroup')}/cgroup.controllers`, 'utf8');
  const hasMemory = controllers.split(/\s+/).includes('memory');
  expect((await stat(tree, 'web'))['memory.source']).toBe(hasMemory ? 'cgroup' : 'proc');
  await tree.ok('echo stopped > web/job/.state');
  expect(await number(tree, 'web', 'memory.current')).toBeLessThan(64 * 2 ** 20);
});

it('sums the resident pages of the processes where there is no memory controller', async ({ skip }) => {
  using files = scratch();
  await using tree = await mounted();
  await detached(tree, 'web', workload('hold-memory', '32', files.at('ready')));
  await eventually(() => files.read('ready') === 'ready\n', 'it holds 32 MiB');
  const { 'memory.source': source, 'memory.current': current } = await stat(tree, 'web');
  if (source === 'cgroup') skip('this machine’s cgroup v2 has the memory controller, which tells it');
  const pages = (await procsOf(tree, 'web')).map((pid) =>
    Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]),
  );
  expect(Number(current)).toBe(pages.reduce((sum, count) => sum + count, 0) * 4096);
});

it('speaks for the whole machine at the top, and for the container inside it', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  expect(await number(tree, '.', 'memory.current')).toBeGreaterThan(100 * 2 ** 20);
  expect(await number(tree, '.', 'pids.current')).toBeGreaterThan(20);
  expect(await okInside(tree, 'web', `grep pids.current ${tree.dir}/.stat`)).toMatch(/^pids\.current [34]$/);
});

it('is flat: a key and a value on each line, as in cgroup v2', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const lines = (await tree.ok('cat web/.stat')).split('\n');
  for (const line of lines)
    expect(line).toMatch(/^(?:(?:cpu|memory|pids|io)\.[a-z_]+ \d+|memory\.source (?:cgroup|proc))$/);
  expect(await tree.ok('stat -c %s web/.stat')).toBe(String(lines.join('\n').length + 1));
});
