import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { counting, eachWithTree, nothingHeld, type Scratch } from '../support/checkpoints.ts';
import { attached, detached } from '../support/containers.ts';
import { eventually, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
let disk: Scratch;
eachWithTree((mount, directory) => {
  [tree, disk] = [mount, directory];
});

/** tar, and mv to disk, fail; `.error` says why; the container runs on, and nothing is left of the attempt. */
async function isRefused(why: RegExp, error = 'Input/output error'): Promise<void> {
  const tar = await tree.sh(`tar cf ${disk.at('web.tar')} web`);
  expect(tar.status).not.toBe(0);
  expect(tar.stderr).toContain(error);
  expect(await tree.ok('cat web/.error')).toMatch(why);
  const mv = await tree.sh(`mkdir ${disk.at('moved')}; mv web ${disk.at('moved')}/`);
  expect(mv.status).not.toBe(0);
  expect(await tree.ok('cat web/.state')).toBe('running');
  await nothingHeld(tree);
}

describe('a container that cannot be saved runs on, and says in one line why, where', () => {
  it('a process entered it from outside', async () => {
    const counter = await counting(tree, 'web', disk.at('count'));
    const outsider = tree.background('sleep', '1000');
    await tree.ok(`echo ${outsider.pid ?? 0} > "$(readlink web/.cgroup)/own/cgroup.procs"`);
    await isRefused(/^EIO: Cannot checkpoint "web": process \d+ \(sleep\) entered from outside.*; end it first$/);
    await counter.beyond(counter.last() + 2);
  });

  it('a process has a pid namespace of its own', async () => {
    await detached(tree, 'web', ['unshare', '--pid', '--fork', 'sleep', '1000']);
    await eventually(async () => (await tree.ok('wc -l < web/.procs')) === '3', 'it has begun');
    await isRefused(/process \d+ \(\w+\) has a pid namespace of its own/);
  });

  it('somebody outside waits for a command', async () => {
    const waiting = attached(tree, 'web', ['sleep', '1000']);
    await eventually(async () => (await tree.ok('wc -l < web/.procs')) === '2', 'it has begun');
    await isRefused(/has a command that somebody outside waits for \(nsdir run\); run it with -d/);
    await tree.ok('rm -rf web');
    await waiting;
  });

  it('it has no mount tree of its own', async () => {
    await detached(tree, 'web', ['sleep', '1000'], '--ns', 'uts,pid');
    await isRefused(/it has no mnt namespace of its own/);
  });

  it('CRIU finds out only when it is at it', async () => {
    // A vsock is among what CRIU has no image for.
    const open = 'import socket, time; s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); time.sleep(1000)';
    await detached(tree, 'web', ['python3', '-c', open]);
    await eventually(async () => (await tree.ok('wc -l < web/.procs')) === '2', 'it has begun');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await isRefused(/^EIO: Cannot checkpoint "web": criu: .+/);
  });

  it('it has not read what the kernel answered it, which may be otherwise the next time', async () => {
    const ask =
      'import socket, struct, time; s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); ' +
      's.send(struct.pack("=LHHLLBxHiII", 32, 18, 0x301, 1, 0, 0, 0, 0, 0, 0)); time.sleep(1000)';
    await detached(tree, 'web', ['python3', '-c', ask], '--net');
    await eventually(async () => (await tree.ok('wc -l < web/.procs')) === '2', 'it has begun');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await isRefused(
      /^EBUSY: Cannot checkpoint "web": criu: netlink: The socket has data to read; try again$/,
      'Device or resource busy',
    );
  });
});

it('answers ENOSPC where there is no room for its images, and it runs on', async () => {
  const counter = await counting(tree, 'web', disk.at('count'));
  // Of the first container of a mount.
  const images = `${tree.instance.stateDir}/1.checkpoints`;
  await tree.ok(`mkdir ${images} && mount -t tmpfs -o size=100k tmpfs ${images}`);
  try {
    const { status, stderr } = await tree.sh(`tar cf ${disk.at('web.tar')} web`);
    expect(status).not.toBe(0);
    expect(stderr).toContain('No space left on device');
    expect(await tree.ok('cat web/.error')).toMatch(/^ENOSPC: Cannot checkpoint "web": .* has no room for its images/);
    await counter.beyond(counter.last() + 1);
    await expect.poll(() => readdirSync(images)).toEqual([]);
  } finally {
    await tree.ok(`umount ${images} && rmdir ${images}`);
  }
  await nothingHeld(tree);
});

it('says with --check what stands in the way, and freezes nothing', async () => {
  await detached(tree, 'web', ['sleep', '1000']);
  expect((await tree.nsdir('checkpoint', '--check', 'web')).stdout).toBe('web can be saved');
  const outsider = tree.background('sleep', '1000');
  await tree.ok(`echo ${outsider.pid ?? 0} > "$(readlink web/.cgroup)/own/cgroup.procs"`);
  const { status, stderr } = await tree.nsdir('checkpoint', '--check', 'web');
  expect(status).toBe(1);
  expect(stderr).toMatch(/process \d+ \(sleep\) entered from outside/);
  expect(readdirSync(tree.instance.stateDir).filter((name) => name.endsWith('.checkpoints'))).toEqual([]);
});

it('is refused to one who lives in it, and shows no images to an archiver there', async () => {
  await detached(tree, 'web', ['sleep', '1000']);
  const inside = (script: string) => tree.nsdir('run', 'web', '--', 'sh', '-c', `cd ${tree.dir}; ${script}`);
  expect((await inside('touch .checkpoint')).status).not.toBe(0);
  expect(await tree.ok('cat web/.error')).toMatch(/^EBUSY: Cannot checkpoint "web": who asks .* lives in it/);
  const archived = await inside('tar cf - .checkpoint | tar tf -');
  expect(archived).toEqual({ status: 0, stdout: '.checkpoint/', stderr: '' });
  expect(await tree.ok('cat web/.state')).toBe('running');
  await nothingHeld(tree);
});
