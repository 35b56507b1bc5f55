import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMANDS, findCommand } from '../../src/cli/commands.ts';
import { initOf } from '../support/containers.ts';
import { runFiles } from '../../src/instance.ts';
import { eventually, mounted, NSDIR, type Mounted } from '../support/mounted.ts';
import { pinnedIn, signal } from '../support/pinned.ts';
import { publicCopy } from '../support/public-copy.ts';
import { AS_USER, emptyDirectory, nsdir } from '../support/nsdir.ts';

const TERMINAL = new URL('../support/terminal.py', import.meta.url).pathname;

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
  await tree.ok('mkdir -p web/job plain; echo running > web/.state; echo running > web/job/.state');
  await tree.ok('echo frozen > web/job/.state');
});
afterAll(() => tree[Symbol.asyncDispose]());

test.each(COMMANDS.map(({ name }) => name))(
  'nsdir %s --help tells its usage and every option, and does nothing',
  async (name) => {
    const { status, stdout, stderr } = await nsdir([name, '--help']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^usage: nsdir ${name}`));
    expect(stdout).toMatch(/^ +-h, --help +show this$/m);
    const told = [...stdout.matchAll(/^ +(?:-\w, )?--([a-z-]+) /gm)].map(([, option]) => option);
    expect(told).toEqual(Object.keys((await findCommand(name)!.load()).options));
  },
);

test.each(COMMANDS.map(({ name }) => name))(
  'nsdir %s with an option it does not have: exit 2, and where to look',
  async (name) => {
    const { status, stdout, stderr } = await nsdir([name, '--nonesuch']);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain('--nonesuch');
    expect(stderr).toContain(`Try: nsdir ${name} --help`);
    expect(stderr).not.toMatch(/^\s+at /m);
  },
);

test.each([
  [[], 2],
  [['--help'], 0],
  [['--version'], 0],
  [['nonesuch'], 2],
  [['--nonesuch'], 2],
  [['mount', 'a', 'b'], 2],
  [['umount', 'a', 'b'], 2],
  [['tree', 'a', 'b'], 2],
  [['run', 'web'], 2],
  [['run', '--', 'true'], 2],
  [['run', '--ns', 'nonesuch', 'web', '--', 'true'], 2],
  [['tree', '--json', '--watch'], 2],
  [['logs'], 2],
] as const)('nsdir %j exits %i', async (args, status) => {
  const outcome = await tree.nsdir(...args);
  expect(outcome.status).toBe(status);
  if (status === 2) expect([outcome.stdout, outcome.stderr]).toEqual(['', expect.stringMatching(/nsdir/)]);
});

test('nsdir tree shows names, states, inits and processes as a tree', async () => {
  const { status, stdout } = await tree.nsdir('tree');
  expect(status).toBe(0);
  const lines = stdout.split('\n');
  const line = (name: string) => lines.find((text) => text.includes(` ${name} `)) ?? '';
  expect(line('plain')).toMatch(/plain +-$/);
  expect(line('web')).toMatch(new RegExp(`web +running +${await initOf(tree, 'web')} +1 `));
  expect(line('job')).toMatch(new RegExp(`job +frozen +${await initOf(tree, 'web/job')} +1 `));
  expect(line('job').indexOf('job')).toBeGreaterThan(line('web').indexOf('web'));
});

test('nsdir tree --json is for scripts', async () => {
  const { status, stdout } = await tree.nsdir('tree', '--json', `${tree.dir}/web`);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    name: `${tree.dir}/web`,
    state: 'running',
    init: await initOf(tree, 'web'),
    processes: 1,
    cpuUsec: expect.any(Number) as number,
    memoryBytes: expect.any(Number) as number,
    children: [{ name: 'job', state: 'frozen', children: [] }],
  });
});

test('nsdir tree where there is no tree says how to mount one', async () => {
  using place = emptyDirectory();
  const { status, stderr } = await nsdir(['tree', place.dir]);
  expect([status, stderr]).toEqual([1, expect.stringContaining(`nsdir mount ${place.dir}`)]);
});

interface Report {
  readonly version: string;
  readonly mountPoint: string;
  readonly checks: {
    readonly name: string;
    readonly required: boolean;
    readonly ok: boolean;
    readonly remedy?: string;
  }[];
  readonly daemon: { readonly pid: number; readonly alive: boolean; readonly adapter: string } | null;
}

test('nsdir doctor tells what there is, and of the daemon', async () => {
  const { status, stdout } = await tree.nsdir('doctor');
  expect(status).toBe(0);
  for (const name of ['node', 'capabilities', '/dev/fuse', 'cgroup v2', 'mount point']) {
    expect(stdout).toMatch(new RegExp(`^ok +${name} `, 'm'));
  }
  expect(stdout).toMatch(new RegExp(`^daemon +${tree.daemonPid()}, version .*, answers$`, 'm'));
});

test('nsdir doctor --json is for scripts', async () => {
  const { status, stdout } = await tree.nsdir('doctor', '--json');
  const report = JSON.parse(stdout) as Report;
  expect([status, report.mountPoint]).toEqual([0, tree.dir]);
  expect(report.daemon).toMatchObject({ pid: tree.daemonPid(), alive: true, adapter: 'device' });
  expect(report.checks.filter(({ required, ok }) => required && !ok)).toEqual([]);
});

test('nsdir doctor exits 1 where something is missing, with the command that mends it', async () => {
  using place = emptyDirectory();
  await using copy = await publicCopy();
  const { status, stdout } = await nsdir(['doctor', '--adapter', 'device', '--json', place.dir], AS_USER, copy.nsdir);
  const report = JSON.parse(stdout) as Report;
  const capabilities = report.checks.find(({ name }) => name === 'capabilities');
  expect([status, capabilities?.ok, report.daemon]).toEqual([1, false, null]);
  expect(capabilities?.remedy).toContain('sudo');
});

test('nsdir doctor tells of a daemon that does not answer', async () => {
  const daemon = tree.daemon();
  signal(daemon, 'SIGSTOP');
  try {
    const { stdout } = await tree.nsdir('doctor');
    expect(stdout).toContain(`does not answer: nsdir mount ${tree.dir} takes over`);
  } finally {
    signal(daemon, 'SIGCONT');
  }
});

/** As who typed it in a shell would see it. */
const typed = (script: string) =>
  tree.sh(script, { env: { NSDIR_MOUNT: tree.dir, NSDIR: `${process.execPath} ${NSDIR}` } });

test.each(['tree', 'doctor', 'which 1', '--help'])(
  'nsdir %s says in one line that its output cannot be written',
  async (words) => {
    const { status, stderr } = await typed(`$NSDIR ${words} > /dev/full`);
    expect([status, stderr]).toEqual([1, 'nsdir: Cannot write to standard output: ENOSPC']);
  },
);

test('a command where there is no working directory any more says so in one line', async () => {
  const gone = 'cd "$(mktemp -d)"; rmdir "$PWD"';
  const { status, stderr } = await typed(`${gone}; exec $NSDIR mount here`);
  expect(status).toBe(1);
  expect(stderr.split('\n').at(-1)).toBe('nsdir mount: the working directory is gone: cd to one that is there');
  expect((await typed(`${gone}; exec $NSDIR run web -- pwd`)).stdout).toBe('/');
});

test.each(['mount', 'umount'])('nsdir %s of a directory without a name does nothing', async (command) => {
  expect(await tree.nsdir(command, '')).toMatchObject({ status: 2, stdout: '' });
});

test('nsdir tree takes the name of a container where there is no such directory', async () => {
  const { status, stdout } = await tree.nsdir('tree', '--json', 'web');
  expect([status, (JSON.parse(stdout) as { name: string }).name]).toEqual([0, `${tree.dir}/web`]);
});

test('nsdir mount of what is mounted says which options it did not heed', async () => {
  expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
  const { status, stderr } = await tree.nsdir('mount', '--log-level', 'debug', tree.dir);
  expect([status, stderr]).toEqual([1, expect.stringContaining('not heeded: --log-level debug. To have that:')]);
});

test('nsdir tree and which do not wait for a daemon that stands still', async () => {
  const daemon = tree.daemon();
  signal(daemon, 'SIGSTOP');
  try {
    const says = `${tree.dir} does not answer (no answer within 2000 ms): nsdir mount ${tree.dir} takes over`;
    expect(await tree.nsdir('tree')).toMatchObject({ status: 1, stderr: `nsdir tree: ${says}` });
    expect(await tree.nsdir('which', '1')).toMatchObject({ status: 1, stderr: `nsdir which: ${says}` });
  } finally {
    signal(daemon, 'SIGCONT');
  }
});

test.each([
  ['xterm', 'q', '\u001b[?1049l'],
  ['dumb', '\u0003', undefined],
])('nsdir tree --watch on a terminal of type %s ends with %j', async (TERM, key, escape) => {
  const { stdout } = await execa('python3', [TERMINAL, JSON.stringify([key]), process.execPath, NSDIR, 'tree', '-w'], {
    env: { NSDIR_MOUNT: tree.dir, TERM },
    timeout: 20_000,
    reject: false,
  });
  expect(stdout).toMatch(/web +running[^]*status 0$/);
  expect(stdout.includes('\u001b')).toBe(escape !== undefined);
  if (escape !== undefined) expect(stdout).toContain(escape);
});

test('every command says of a dead mount that its daemon is gone', async () => {
  await using other = await mounted();
  for (const end of [pinnedIn(runFiles(other.instance).supervisePid), other.daemon()]) signal(end, 'SIGKILL');
  await eventually(async () => (await other.sh('stat -f .')).status !== 0, 'nobody answers');
  for (const words of [
    ['run', 'web', '--', 'true'],
    ['enter', 'web'],
    ['logs', 'web'],
    ['checkpoint', '--check', 'web'],
  ]) {
    const { stderr } = await other.nsdir(...words);
    expect(stderr).toMatch(/^nsdir \w+: the daemon of \S+ is gone \((ENOTCONN|ECONNABORTED)\): nsdir mount \S+$/);
  }
  await other.nsdir('mount', other.dir);
});
