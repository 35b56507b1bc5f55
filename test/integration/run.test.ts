import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { once } from 'node:events';
import { constants } from 'node:os';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { INIT_BINARY, Launched, type Run, until } from '../support/launched.ts';
import { pinned, signal } from '../support/pinned.ts';

let machine: Launched;
let box: Awaited<ReturnType<Launched['start']>>;
let run: Run;
beforeAll(async () => {
  machine = await Launched.open();
  box = await machine.start();
  run = box.run;
});
afterAll(() => machine[Symbol.asyncDispose]());

/** A command that says `ready` and then waits; the client of it, as a child. */
async function waiting(script: string, { spec } = box) {
  const command = ['sh', '-c', `${script}; echo ready; while :; do sleep 0.02; done`];
  const client = spawn(INIT_BINARY, ['run', spec.initSocket, '--', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  client.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until('the command is ready', () => output.includes('ready'));
  return { client, ended: once(client, 'close'), output: () => output };
}

describe('exit status', () => {
  it.each([
    ['true', 0],
    ['exit 3', 3],
    ['exit 255', 255],
    ['kill -TERM $$', 128 + 15],
    ['kill -KILL $$', 128 + 9],
  ])('of "%s" is %d', async (script, status) => {
    expect((await run(['sh', '-c', script])).exitCode).toBe(status);
  });

  it('is 127 for a command that is not there, 126 for one that cannot be run, as a shell has it', async () => {
    expect(await run(['nonesuch'])).toMatchObject({
      exitCode: 127,
      stderr: 'nsdir: cannot run "nonesuch": No such file or directory',
    });
    expect(await run(['/etc/passwd'])).toMatchObject({
      exitCode: 126,
      stderr: 'nsdir: cannot run "/etc/passwd": Permission denied',
    });
  });

  it('is 126 for arguments that are too long', async () => {
    const long = 'x'.repeat(120_000);
    expect((await run(['sh', '-c', 'test ${#0} = 120000', long])).exitCode).toBe(0);
    const result = await run(['true', long, long]);
    expect(result).toMatchObject({ exitCode: 126, stderr: expect.stringContaining('more than') as string });
  });

  it('is 125 where no init is reached', async () => {
    const other = await machine.start();
    machine.kill(other.spec.cgroupDir);
    await until('it is told', () => machine.exits.some(({ pid }) => pid === other.pid));
    expect((await other.run(['true'])).exitCode).toBe(125);
  });

  it('is 137 when the container is killed', async () => {
    const other = await machine.start();
    const { ended } = await waiting(':', other);
    machine.kill(other.spec.cgroupDir);
    expect(await ended).toEqual([137, null]);
  });
});

describe('the command', () => {
  it('has the caller’s stdio', async () => {
    const result = await run(['sh', '-c', 'cat; echo error >&2'], { input: 'text' });
    expect(result).toMatchObject({ stdout: 'text', stderr: 'error' });
  });

  it('has /dev/null for what the caller has closed', async () => {
    // Not through Node, which opens it by itself.
    const script = `exec "$0" run "$1" -- readlink /proc/self/fd/0 <&-`;
    expect((await execa('sh', ['-c', script, INIT_BINARY, box.spec.initSocket])).stdout).toBe('/dev/null');
  });

  it('has the caller’s environment and directory', async () => {
    const { stdout } = await run(['sh', '-c', 'echo $container $FRUIT; pwd'], { env: { FRUIT: 'fig' }, cwd: '/usr' });
    expect(stdout).toBe('nsdir fig\n/usr');
    expect((await run(['pwd'], { flags: ['--cwd', '/var/tmp'] })).stdout).toBe('/var/tmp');
    expect((await run(['pwd'], { flags: ['--cwd', '/nonesuch'] })).stdout).toBe('/');
  });

  it('has no descriptor but its stdio, nothing blocked or ignored, and its own session', async () => {
    expect((await run(['ls', '/proc/self/fd'])).stdout).toBe('0\n1\n2\n3'); // 3 is ls's own
    const { stdout } = await run(['grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status']);
    expect(stdout).toMatch(/^SigBlk:\t0+\nSigIgn:\t0+$/);
    const { stdout: ids } = await run(['sh', '-c', 'echo $$; cut -d" " -f6 /proc/$$/stat']);
    const [pid, session] = ids.split('\n');
    expect(session).toBe(pid);
  });

  it('may be a script without `#!`, which sh runs', async () => {
    const [directory, name] = [machine.directory, 'plain-script'];
    fs.writeFileSync(`${directory}/${name}`, 'echo "$1, $0"\n', { mode: 0o755 });
    expect((await run([`${directory}/${name}`, 'one'])).stdout).toBe(`one, ${directory}/${name}`);
    const env = { PATH: `/nonesuch:${directory}:/usr/bin:/bin` };
    expect((await run([name, 'one'], { env })).stdout).toBe(`one, ${directory}/${name}`);
  });

  it('is not lost among many at once', async () => {
    const all = await Promise.all(Array.from({ length: 30 }, (_, n) => run(['sh', '-c', `exit ${n}`])));
    expect(all.map(({ exitCode }) => exitCode)).toEqual(all.map((_, n) => n));
  });
});

describe('signals', () => {
  const PASSED_ON = [
    'HUP',
    'INT',
    'QUIT',
    'USR1',
    'USR2',
    'ALRM',
    'TERM',
    'TSTP',
    'CONT',
    'WINCH',
    'PIPE',
    'TTIN',
  ] as const;

  it('to the client are the command’s', async () => {
    const traps = [...PASSED_ON, 34].map((name) => `trap "echo got-${name}" ${name}`).join('; ');
    const { client, ended, output } = await waiting(traps);
    for (const name of PASSED_ON) {
      client.kill(constants.signals[`SIG${name}`]);
      await until(`${name} arrived`, () => output().includes(`got-${name}\n`));
    }
    // Which some C libraries keep for themselves.
    signal(pinned(client.pid), 34);
    await until('34 arrived', () => output().includes('got-34\n'));
    client.kill('SIGSYS');
    expect(await ended).toEqual([128 + 31, null]);
  });

  it('are sent to commands of the init only', async () => {
    const { client, ended } = await waiting(':');
    const other = await machine.start({ flags: 0 });
    const python = `import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(${JSON.stringify(other.spec.initSocket)})
for p in (b"${client.pid}", b"1", b"0", b"-1", b"${process.pid}"): s.send(b"signal\\0" + p + b"\\0009\\0")
for bad in (b"", b"x", b"run\\0", b"signal\\0", b"run\\0\\0/\\0\\0005\\0", b"signal\\0001\\00099\\0"): s.send(bad)`;
    await execa('python3', ['-c', python]);
    expect((await other.run(['true'])).exitCode).toBe(0);
    expect(client.exitCode).toBe(null);
    client.kill();
    expect(await ended).toEqual([128 + 15, null]);
  });
});

describe('--detach', () => {
  it('returns at once, output goes to the end of the log', async () => {
    const log = machine.at('out.log');
    fs.writeFileSync(log, 'before\n');
    const begun = Date.now();
    const script = 'echo out; echo err >&2; read line; sleep 0.3; echo end';
    expect((await run(['sh', '-c', script], { flags: ['--detach', log] })).exitCode).toBe(0);
    expect(Date.now() - begun).toBeLessThan(300);
    await until('it ended', () => fs.readFileSync(log, 'utf8') === 'before\nout\nerr\nend\n');
  });

  it('makes the log for its owner only', async () => {
    const log = machine.at('new.log');
    await run(['true'], { flags: ['--detach', log] });
    expect(fs.statSync(log).mode & 0o777).toBe(0o600);
  });

  it('says why the log cannot be had', async () => {
    expect(await run(['true'], { flags: ['--detach', '/nonesuch/log'] })).toMatchObject({
      exitCode: 126,
      stderr: 'nsdir: cannot open /nonesuch/log for the output, as the container sees it: No such file or directory',
    });
  });
});

describe('--main', () => {
  it.each([
    ['exit 7', { code: 7 }],
    ['kill -TERM $$', { code: 143 }],
  ])('ends the container as "%s"', async (script, status) => {
    const other = await machine.start();
    const result = await other.run(['sh', '-c', `sleep 60 & ${script}`], { flags: ['--main'] });
    expect(result.exitCode).toBe(status.code);
    await until('it is told', () => machine.exits.some(({ pid }) => pid === other.pid));
    expect(machine.exits.find(({ pid }) => pid === other.pid)?.status).toEqual(status);
  });
});
