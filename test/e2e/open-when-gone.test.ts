import { execa } from 'execa';
import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

it('reads to its end what was unlinked while it was open, as a file without a name', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await tree.sh('echo frozen > web/.state')).toMatchObject({ status: 1 });
  const text = await tree.ok('cat web/.error');
  expect(await tree.ok('{ rm web/.error; stat -L -c %h /dev/fd/0; cat; } < web/.error')).toBe(`0\n${text}`);
});

it('tells who has .events open that the container was killed and removed', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const heard = tree.ok('{ rm -rf web; stat -L -c %F /dev/fd/0; cut -f 2 | tail -n 2; } < web/.events');
  expect(await heard).toBe('regular file\nkilled\nremoved');
});

it('tells who has .events open of a removal that came before the death of the daemon', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const program = execa('python3', ['-c', POLLER], {
    cwd: tree.dir,
    timeout: 30_000,
    killSignal: 'SIGKILL',
    stdin: 'pipe',
  });
  await new Promise((resolve) => program.stdout.once('data', resolve));
  await tree.ok('rm -rf web');
  await tree.killDaemon();
  program.stdin.end('go on\n');
  expect((await program).stdout).toBe('ready\nexited\nkilled\nremoved');
});

/** Reads what there is, waits for a line, and tells what else is heard, by poll(2), until the removal. */
const POLLER = `
import os, select, sys
file = os.open("web/.events", os.O_RDONLY)
while os.read(file, 65536): pass
print("ready", flush=True); sys.stdin.readline()
poll = select.poll(); poll.register(file, select.POLLIN)
heard = ""
while "removed" not in heard:
    assert poll.poll(5000) == [(file, select.POLLIN)]
    heard += os.read(file, 65536).decode()
for line in heard.splitlines(): print(line.split("\\t")[1])`;
