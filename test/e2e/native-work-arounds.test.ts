import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted('--adapter', 'fuse-native');
});
afterAll(() => tree[Symbol.asyncDispose]());

const python = (script: string) => tree.ok(`python3 -c '${script}'`);

it('sets the two times that were given, though the library tells one of them twice', async () => {
  await tree.ok('mkdir times');
  await python('import os; os.utime("times", ns=(1_000_000_001_234_000_000, 2_000_000_002_345_000_000))');
  expect(await tree.ok('stat -c "%.3X %.3Y" times')).toBe('1000000001.234 2000000002.345');
  await tree.ok('touch times');
  const [accessed = 0, modified = 0] = (await tree.ok('stat -c "%X %Y" times')).split(' ').map(Number);
  expect(accessed).toBe(modified);
  expect(Math.abs(Date.now() / 1000 - accessed)).toBeLessThan(60);
  await tree.ok('rmdir times');
});

it('lets who has a file open read it when it fell silent, and not when its name was taken away', async () => {
  await tree.ok('mkdir open; echo running > open/.state; echo stopped > open/.state');
  const exit = await tree.ok('cat open/.exit');
  const read = `python3 -c 'import os; print(os.read(3, 100).decode(), end="")'`;
  expect(await tree.ok(`exec 3< open/.exit; echo running > open/.state; [ ! -e open/.exit ] && ${read}`)).toBe(exit);
  const { status, stderr } = await tree.sh(`exec 3< open/.state; rm open/.state; ${read}`);
  expect([status, stderr]).toEqual([1, expect.stringContaining('No such file or directory') as string]);
  expect(await tree.ok('find . -name ".fuse_hidden*"')).toBe('');
  await tree.ok('rm -rf open');
});

it('has inode numbers of its own, the same in a listing, and leaves an id that is not given as it is', async () => {
  await tree.ok('mkdir ids; chgrp 4 ids; chown 1001 ids; mkdir ids/in');
  const [inode = 0, uid, gid] = (await tree.ok('stat -c "%i %u %g" ids')).split(' ').map(Number);
  expect([inode % 32, uid, gid]).toEqual([1, 1001, 4]);
  expect(await python('import os; print(*[e.inode() for e in os.scandir(".") if e.name == "ids"])')).toBe(`${inode}`);
  expect(Number(await tree.ok('stat -c %i ids/in'))).toBe(inode + 32);
  await tree.ok('rm -r ids');
});

it('takes a write in one piece, so that the first part of one that is too long is no command', async () => {
  await tree.ok('mkdir long');
  const write = 'fd = os.open("long/.state", os.O_WRONLY | os.O_CREAT); os.write(fd, b"running" + b" " * 5000)';
  expect((await tree.sh(`python3 -c 'import os; ${write}'`)).stderr).toContain('Invalid argument');
  expect(await tree.ok('ls -d long/.init long/.state 2> /dev/null || echo none')).toBe('none');
  await tree.ok('rm -rf long');
});

it('has the kernel keep no name, no attribute and no text', async () => {
  await tree.ok('mkdir kept; echo running > kept/.state');
  const look = 'stat -c %n kept/.init kept/.exit 2> /dev/null || :; cat kept/.state';
  expect(await tree.ok(`${look}; echo stopped > kept/.state; ${look}`)).toBe(
    'kept/.init\nrunning\nkept/.exit\nstopped',
  );
  // Reading would have the kernel ask for the size anew.
  const growing =
    'import os; f = open("kept/.events", "rb", 0); size = lambda: os.fstat(f.fileno()).st_size; before = size(); ' +
    'os.mkdir("kept/in"); print(size() - before); first = f.read(); os.mkdir("kept/more"); print(f.read().decode())';
  expect(await python(growing)).toMatch(/^[1-9]\d\n[^]*\tcreated\tmore/);
  // As long as the one before, so that its size tells nothing.
  const why = await tree.ok('for word in some none; do echo $word > kept/.state; cat kept/.error; done');
  expect(why).toMatch(/write "some"[^]*write "none"/);
  await tree.ok('rm -rf kept');
});

it('answers ENOTCONN to who has it open when its daemon dies, and mounts anew', async () => {
  await tree.ok('mkdir open');
  const script =
    'exec 3< .events; : > /tmp/nsdir-open.$$; echo $$; until [ ! -e /tmp/nsdir-open.$$ ]; do sleep 0.05; done; cat <&3';
  const reader = tree.sh(script);
  await eventually(async () => (await tree.sh('ls /tmp/nsdir-open.*')).status === 0, 'it is open');
  await tree.killDaemon();
  await eventually(async () => (await tree.sh(`ls -d ${tree.dir}/open`)).status === 0, 'it is mounted anew');
  await tree.sh('rm /tmp/nsdir-open.*');
  expect((await reader).stderr).toContain('Transport endpoint is not connected');
  await tree.ok('rmdir open');
});
