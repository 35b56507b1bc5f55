import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execa } from 'execa';
import { mounted, type Mounted } from '../support/mounted.ts';
import { scratch } from '../support/containers.ts';
import { eventually } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
});
afterAll(() => tree[Symbol.asyncDispose]());

/** A Python program in the mount point that says "ready" and waits for a line before it goes on. */
function python(text: string) {
  return execa('python3', ['-c', text], { cwd: tree.dir, timeout: 30_000, killSignal: 'SIGKILL', stdin: 'pipe' });
}

async function acrossDeath(text: string, meanwhile = ''): Promise<string> {
  const program = python(text);
  await new Promise((resolve) => program.stdout.once('data', resolve));
  await tree.killDaemon();
  if (meanwhile !== '') await tree.ok(meanwhile);
  program.stdin.end('go on\n');
  const { stdout } = await program;
  return stdout.replace(/^ready\n/, '');
}

test.each(['.state', '.stat', '.procs', '.nsproxy', '.events'])('an open %s is read on after a death', async (name) => {
  const text = `
import sys
file = open("web/${name}")
first = file.read(1)
print("ready", flush=True); sys.stdin.readline()
file.seek(0)
whole = file.read()
print(len(first) == 1 and whole.startswith(first) and whole.endswith("\\n"))`;
  expect(await acrossDeath(text)).toBe('True');
});

test('an open .state takes a write after a death', async () => {
  const text = `
import os, sys
file = os.open("web/.state", os.O_WRONLY)
print("ready", flush=True); sys.stdin.readline()
os.write(file, b"frozen"); os.close(file)
print(open("web/.state").read(), end="")`;
  expect(await acrossDeath(text)).toBe('frozen');
  await tree.ok('echo running > web/.state');
});

test('an open directory is listed on after a death, with what came meanwhile', async () => {
  const text = `
import os, sys
directory = os.open(".", os.O_RDONLY)
print("ready", flush=True); sys.stdin.readline()
print("later" in os.listdir(directory), os.stat("web", dir_fd=directory).st_ino == os.stat("web").st_ino)`;
  expect(await acrossDeath(text, 'mkdir later')).toBe('True True');
});

test('who polls .events without end is woken by an event after a death', async () => {
  const text = `
import os, select, sys
file = os.open("web/.events", os.O_RDONLY)
while os.read(file, 65536): pass
poll = select.poll(); poll.register(file, select.POLLIN)
print("ready", flush=True)
while True:
    poll.poll()
    lines = os.read(file, 65536).decode()
    if lines: break
print(lines.split("\\t")[1])`;
  const program = python(text);
  await new Promise((resolve) => program.stdout.once('data', resolve));
  await sleep(200);
  await tree.killDaemon();
  await sleep(500);
  await tree.ok('echo frozen > web/.state');
  expect((await program).stdout).toBe('ready\nfrozen');
  await tree.ok('echo running > web/.state');
});

test('tail -f of .events shows each event once over two deaths', async () => {
  using files = scratch();
  const tail = tree.background('sh', '-c', `exec tail -n +1 -s 0.1 -f .events > ${files.at('seen')}`);
  const made: string[] = [];
  for (const round of [1, 2, 3]) {
    for (const name of ['a', 'b', 'c']) made.push(`tail-${round}${name}`);
    await tree.ok(`mkdir tail-${round}a tail-${round}b; sleep 0.3; mkdir tail-${round}c`);
    if (round < 3) await tree.killDaemon();
  }
  const seen = () => [...files.read('seen').matchAll(/\tcreated\t(tail-.*)\n/g)].map(([, name]) => name);
  await eventually(() => seen().length >= made.length, 'all were seen', 5_000).catch(() => undefined);
  tail.kill('SIGKILL');
  expect(seen()).toEqual(made);
});

test('an open .events goes on after a death with more events behind it than are kept', async () => {
  const text = `
import os, sys, time
file = os.open(".events", os.O_RDONLY)
os.mkdir("many")
for i in range(3000): os.mkdir(f"many/{i}"); os.rmdir(f"many/{i}")
while os.read(file, 65536): pass
print("ready", flush=True); sys.stdin.readline()
print(os.read(file, 65536).decode().split("\\t")[1:], end="")`;
  expect(await acrossDeath(text, 'mkdir after')).toBe("['created', 'after\\n']");
});
