import { beforeEach, expect, it } from 'vitest';
import { execa } from 'execa';
import { criuIsMissing } from '../support/checkpoints.ts';
import { detached, scratch } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

const missing = await criuIsMissing();
beforeEach(({ skip }) => {
  skip(missing !== undefined, missing);
});

/** Suspends web into an archive, resumes it, and is the one who uses it then: all in one process. */
const SUSPENDS = `
import os, select, shutil, sys, tarfile
archive = sys.argv[1]
os.utime("web/.checkpoint")
with tarfile.open(archive, "w") as tar: tar.add("web")
shutil.rmtree("web")
with tarfile.open(archive) as tar: tar.extractall(".")
def tell(name):
    with open("web/" + name) as file: print(file.read().strip())
def write(name, text):
    with open("web/" + name, "w") as file: file.write(text)
tell(".state")
events = os.open("web/.events", os.O_RDONLY)
print(os.path.exists("web/.init"), "memory.current" in open("web/.stat").read())
`;

it('a program that unpacks a container sees it as it is when it uses it afterwards', async () => {
  using disk = scratch();
  await using tree = await mounted();
  await detached(tree, 'web', ['sleep', '1000']);
  const text = `${SUSPENDS}
write(".state", "frozen"); tell(".state")
write(".state", "running"); write(".signal", "TERM")
poll = select.poll(); poll.register(events, select.POLLIN)
heard = ""
while "exited" not in heard and poll.poll(5000): heard += os.read(events, 4096).decode()
tell(".state"); tell(".exit")
`;
  const { stdout } = await execa('python3', ['-c', text, disk.at('archive')], { cwd: tree.dir, timeout: 30_000 });
  expect(stdout.split('\n')).toEqual(['running', 'True True', 'frozen', 'stopped', '143']);
});

it('a program that unpacks a container removes it afterwards as any other', async () => {
  using disk = scratch();
  await using tree = await mounted();
  await detached(tree, 'web', ['sleep', '1000']);
  const text = SUSPENDS.replace(/^tell[^]*/m, 'shutil.rmtree("web"); print(os.listdir("."))');
  const { stdout } = await execa('python3', ['-c', text, disk.at('archive')], { cwd: tree.dir, timeout: 30_000 });
  expect(stdout).not.toMatch('web');
});

it('a program that has it run closes .state also when all that unpacked have ended and are forgotten', async () => {
  using disk = scratch();
  await using tree = await mounted();
  await detached(tree, 'web', ['sleep', '1000']);
  await tree.ok(`tar cf ${disk.at('archive')} web && rm -rf web && tar xf ${disk.at('archive')} --exclude=.state`);
  const command = `import os, time
fd = os.open('web/.state', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.write(fd, b'running\\n')
time.sleep(2.5)
os.close(fd)`;
  expect(await tree.sh(`python3 -c "${command}"`)).toMatchObject({ status: 0, stderr: '' });
  expect(await tree.ok('cat web/.state')).toBe('running');
});
