import { execa } from 'execa';
import { expect, it } from 'vitest';
import { initOf, namespace, procsOf } from '../support/containers.ts';
import { eventually, mounted, NSDIR, type Mounted } from '../support/mounted.ts';

const TERMINAL = new URL('../support/terminal.py', import.meta.url).pathname;

/** Types into `nsdir enter web -- SHELL` on a terminal; what it shows, and the status last. */
async function typing(tree: Mounted, shell: string[], lines: string[]): Promise<string> {
  const { stdout } = await execa(
    'python3',
    [TERMINAL, JSON.stringify(lines), process.execPath, NSDIR, 'enter', 'web', '--', ...shell],
    { env: { NSDIR_MOUNT: tree.dir, PS1: '' }, timeout: 50_000, killSignal: 'SIGKILL', reject: false },
  );
  return stdout;
}

it.each([['bash', '--norc'], ['dash'], ['busybox', 'sh']])('gives %s a terminal with job control', async (...shell) => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  const shown = await typing(tree, shell, [
    'tty; stty size; hostname; echo first-$((6*7))|first-42',
    'sleep 1000; echo left|',
    '\u001a|topped',
    'jobs; echo second-$((6*7))|second-42',
    'fg|',
    '\u0003|',
    'echo third-$((6*7)); exit 9|third-42',
  ]);
  expect(shown).toMatch(/\/dev\/pts\/0\s+33 77\s+web\s+first-42/);
  expect(shown).toMatch(/topped[^]*topped[^]*second-42/);
  expect(shown).not.toContain('no job control');
  expect(shown).toMatch(/status 9$/);
});

it('passes a new window size on', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  const shown = await typing(
    tree,
    ['bash', '--norc'],
    [
      // At each prompt bash sets the size again that it reads, and says at the end of that that what is pasted be marked.
      'trap "stty size" WINCH; echo ready-$((1+1))|ready-2\r\n\u001b[?2004h',
      'RESIZE 40 100|40 100',
      'exit|',
    ],
  );
  expect(shown).toContain('40 100');
});

it('keeps stdin, stdout and stderr apart where there is no terminal', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  const result = await execa(
    process.execPath,
    [NSDIR, 'enter', 'web', '--', 'sh', '-c', 'cat; echo err >&2; hostname; exit 5'],
    {
      env: { NSDIR_MOUNT: tree.dir },
      input: 'in\n',
      reject: false,
      timeout: 20_000,
    },
  );
  expect(result).toMatchObject({ stdout: 'in\nweb', stderr: 'err', exitCode: 5 });
});

it.each([
  [['true'], 0],
  [['sh', '-c', 'exit 77'], 77],
  [['sh', '-c', 'kill -TERM $$'], 143],
  [['sh', '-c', 'kill -9 $$'], 137],
  [['/etc/passwd'], 126],
  [['no-such-command'], 127],
])('exits as %j does', async (command, status) => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect((await tree.nsdir('enter', 'web', '--', ...command)).status).toBe(status);
});

it('exits with 125 and the reason where there is nothing to enter', async () => {
  await using tree = await mounted();
  expect(await tree.nsdir('enter', 'nowhere', '--', 'true')).toMatchObject({
    status: 125,
    stderr: expect.stringMatching(/Cannot find .*nowhere/) as string,
  });
  await tree.ok('mkdir web; echo running > web/.state; echo frozen > web/.state');
  expect(await tree.nsdir('enter', 'web', '--', 'true')).toMatchObject({
    status: 125,
    stderr: expect.stringContaining('frozen') as string,
  });
});

it('is in all namespaces of the container and in its cgroup, as a child', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const child = tree.background(process.execPath, NSDIR, 'enter', '--mount', tree.dir, 'web', '--', 'sleep', '1000');
  await eventually(async () => (await procsOf(tree, 'web')).length === 3, 'helper and command are in');
  const [init = 0, , command = 0] = (await procsOf(tree, 'web')).sort((a, b) => a - b);
  for (const kind of ['mnt', 'uts', 'ipc', 'pid', 'cgroup'])
    expect(namespace(command, kind)).toBe(namespace(await initOf(tree, 'web'), kind));
  expect(init).toBeGreaterThan(0);
  child.kill('SIGTERM');
  await eventually(() => child.exitCode === 143, 'the signal was passed on, and the status came back');
});

it('ends when the container is killed', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const child = tree.background(process.execPath, NSDIR, 'enter', '--mount', tree.dir, 'web', '--', 'sleep', '1000');
  await eventually(async () => (await procsOf(tree, 'web')).length === 3, 'it is in');
  await tree.ok('rm -rf web');
  await eventually(() => child.exitCode === 137, 'it ended as killed');
});
