import { expect, it } from 'vitest';
import { attached, inside, okInside } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';
import { execa } from 'execa';

const LIMIT_MS = 20_000;

/** The events without their times, `created web`. */
async function events(tree: Mounted, file: string): Promise<string[]> {
  const text = await tree.ok(`cut -f 2- ${file} | tr '\\t' ' '`);
  return text.split('\n').filter(Boolean);
}

it('tells a plain reader what happened, and ends', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state && echo frozen > web/.state && echo running > web/.state');
  await tree.ok('echo USR1 > web/.signal && mv web home && echo stopped > home/.state && rm -rf home');
  expect(await events(tree, '.events')).toEqual([
    'created web',
    'started web',
    'frozen web',
    'thawed web',
    'signalled web 10',
    'renamed home web',
    'exited home 137',
    'killed home',
    'removed home',
  ]);
});

it('tells the times, to the millisecond, in order', async () => {
  await using tree = await mounted();
  await tree.ok('for name in a b c d; do mkdir $name; done');
  const times = (await tree.ok('cut -f 1 .events')).split('\n');
  for (const time of times) expect(time).toMatch(/^\d{10}\.\d{3}$/);
  expect(times.map(Number)).toEqual(times.map(Number).sort((a, b) => a - b));
  expect(Math.abs(Number(times[0]) - Date.now() / 1000)).toBeLessThan(60);
});

it('tells of the subtree of the directory it is read in, with paths from there', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web other && echo running > web/.state && mkdir web/job web/job/task && rmdir web/job/task');
  expect(await events(tree, 'web/.events')).toEqual([
    'created .',
    'started .',
    'created job',
    'created job/task',
    'removed job/task',
  ]);
  expect(await events(tree, '.events')).toContain('removed web/job/task');
  expect(await okInside(tree, 'web', `cut -f 2- ${tree.dir}/.events | tail -n 1`)).toBe('removed\tjob/task');
});

it('tells how an init ended', async () => {
  await using tree = await mounted();
  await inside(tree, 'web', 'exit 42');
  await eventually(async () => (await events(tree, '.events')).includes('exited web 42'), 'the exit was told');
});

it('shows tail -f what happens from now on', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir before');
  const tail = execa('tail', ['-n', '0', '-s', '0.1', '-f', '.events'], {
    timeout: LIMIT_MS,
    cwd: tree.dir,
    reject: false,
  });
  let seen = '';
  tail.stdout.on('data', (data: Buffer) => (seen += data.toString()));
  await new Promise((resolve) => setTimeout(resolve, 500));
  await tree.ok('mkdir web');
  await eventually(() => seen.includes('created\tweb\n'), 'tail has shown the first');
  await tree.ok('rmdir web');
  await eventually(() => /created\tweb\n.*removed\tweb\n/.test(seen), 'tail has shown the second too');
  expect(seen).not.toContain('before');
  tail.kill('SIGKILL');
  await tail;
});

it.each(['poll', 'epoll'])('wakes who waits with %s', async (how) => {
  await using tree = await mounted();
  await tree.ok('mkdir before');
  const [command = '', ...args] = workload('wait-for-events', how, '.events', 'removed');
  const waiting = execa(command, args, { cwd: tree.dir, reject: false, timeout: LIMIT_MS });
  let seen = '';
  waiting.stdout.on('data', (data: Buffer) => (seen += data.toString()));
  await eventually(() => seen.startsWith('waiting\n'), 'it waits');
  await tree.ok('mkdir web');
  await eventually(() => seen.includes('created web'), 'it was woken');
  await tree.ok('rmdir web');
  const { exitCode, stdout, stderr } = await waiting;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toBe('waiting\ncreated web\nremoved web');
});

it('wakes several readers, each of them, and leaves asleep those whom it does not concern', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web other && echo running > web/.state && echo running > other/.state');
  const wait = (directory: string, last: string) => {
    const [command = '', ...args] = workload('wait-for-events', 'poll', `${directory}/.events`, last);
    const waiting = execa(command, args, { cwd: tree.dir, reject: false, timeout: LIMIT_MS });
    const said = { text: '' };
    waiting.stdout.on('data', (data: Buffer) => (said.text += data.toString()));
    return { waiting, said };
  };
  const [first, second, third, other] = [
    wait('web', 'frozen'),
    wait('web', 'frozen'),
    wait('.', 'frozen'),
    wait('other', 'signalled'),
  ];
  await eventually(() => [first, second, third, other].every(({ said }) => said.text.includes('waiting')), 'all wait');
  await tree.ok('echo frozen > web/.state');
  for (const { waiting } of [first, second, third]) expect((await waiting).exitCode).toBe(0);
  expect(first.said.text).toBe('waiting\nfrozen .\n');
  expect(third.said.text).toBe('waiting\nfrozen web\n');
  expect(other.said.text).toBe('waiting\n');
  await tree.ok('echo USR1 > other/.signal');
  expect((await other.waiting).stdout).toBe('waiting\nsignalled . 10');
});

it('wakes who waits inside a container', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const run = attached(tree, 'web', workload('wait-for-events', 'poll', `${tree.dir}/.events`, 'created'));
  let seen = '';
  run.stdout.on('data', (data: Buffer) => (seen += data.toString()));
  await eventually(() => seen.includes('waiting'), 'it waits');
  await tree.ok('mkdir web/job');
  expect((await run).stdout).toBe('waiting\ncreated job');
});

it('has the size it has to read, so that archivers get it whole', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  expect(await tree.ok('stat -c %s web/.events')).toBe(await tree.ok('wc -c < web/.events'));
  expect(await tree.ok('tar cf - --exclude=.checkpoint web | tar xOf - web/.events')).toBe(
    await tree.ok('cat web/.events'),
  );
});
