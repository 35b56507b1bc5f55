import { expect, it } from 'vitest';
import { detached, okInside, scratch } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

/** Mount points of a process's mount namespace, with type, options, and optional fields such as `shared:1`. */
function mounts(mountinfo: string) {
  return mountinfo
    .trim()
    .split('\n')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , , , point = '', options = '', ...fields] = before.split(' ');
      return { point, options: options.split(','), fields, type: after.split(' ')[0] };
    });
}

const DEVICES = 'fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero';

/** What a container has, with the type of each. */
const OWN = {
  '/proc': 'proc',
  '/sys': 'sysfs',
  '/dev': 'tmpfs',
  '/dev/pts': 'devpts',
  '/dev/shm': 'tmpfs',
  '/run': 'tmpfs',
  '/sys/fs/cgroup': 'cgroup2',
};

it('mounts /proc, /sys, /dev, /run and the cgroups anew inside', async () => {
  await using tree = await mounted();
  const all = mounts(await okInside(tree, 'web', 'cat /proc/self/mountinfo'));
  for (const [point, type] of Object.entries({ ...OWN, [tree.dir]: 'fuse.nsdir' })) {
    expect(all.find((mount) => mount.point === point)?.type, point).toBe(type);
  }
});

it('does so in a user namespace of root’s, where a disk is there without what is mounted in it', async () => {
  using disk = scratch();
  await using tree = await mounted();
  await tree.ok(
    `cd ${disk.dir} && mkdir -p a/b && echo x > a/file && mount --bind a a && mount --make-shared a && mount -t tmpfs none a/b`,
  );
  try {
    await detached(tree, 'web', ['sleep', '1000'], '--ns', 'user,mnt,uts,ipc,pid,cgroup');
    const all = mounts(await okInside(tree, 'web', 'cat /proc/self/mountinfo'));
    for (const [point, type] of Object.entries({ ...OWN, [tree.dir]: 'fuse.nsdir' })) {
      expect(
        all.filter((mount) => mount.point === point).map((mount) => mount.type),
        point,
      ).toEqual([type]);
    }
    expect(all.filter(({ point }) => point.startsWith(disk.dir)).map(({ point }) => point)).toEqual([disk.at('a')]);
    expect(await okInside(tree, 'web', `cat ${disk.at('a/file')}; ls /run`)).toBe('x');
    expect(all.flatMap((mount) => mount.fields).filter((field) => field !== '')).toEqual([]);
    expect(await okInside(tree, 'web', `mkdir ${disk.at('a/c')}; mount -t tmpfs none ${disk.at('a/c')}`)).toBe('');
    expect(await tree.ok(`grep -c ${disk.at('a/c')} /proc/self/mountinfo || :`)).toBe('0');
    expect(all.find(({ point }) => point === '/sys')?.options).toContain('ro');
    expect(await okInside(tree, 'web', 'ls /dev')).toBe(DEVICES);
    expect(await okInside(tree, 'web', 'echo lost > /dev/null && head -c 3 /dev/zero | od -An -tx1')).toBe(' 00 00 00');
  } finally {
    await tree.ok(`cd ${disk.dir} && umount -l a/b && umount -l a`);
  }
});

it('shows only its own processes in /proc', async () => {
  await using tree = await mounted();
  expect(await okInside(tree, 'web', 'echo /proc/[0-9]*')).toBe('/proc/1 /proc/2');
});

it('keeps /sys read-only, and has devices that work', async () => {
  await using tree = await mounted();
  // Not by touch(1), which nothing lets make a file there.
  const all = mounts(await okInside(tree, 'web', 'cat /proc/self/mountinfo'));
  expect(all.find(({ point }) => point === '/sys')?.options).toContain('ro');
  expect(await okInside(tree, 'web', 'echo lost > /dev/null && head -c 3 /dev/zero | od -An -tx1')).toBe(' 00 00 00');
  expect(await okInside(tree, 'web', 'ls /dev')).toBe(DEVICES);
});

it('keeps what is mounted inside to itself, and does not see what is mounted outside later', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  await okInside(tree, 'web', 'mkdir -p /run/inside && mount -t tmpfs only-inside /run/inside');
  expect(await okInside(tree, 'web', 'grep -c only-inside /proc/self/mountinfo')).toBe('1');
  expect(await tree.ok('grep -c only-inside /proc/self/mountinfo || :')).toBe('0');

  await tree.ok('mkdir ../late && mount -t tmpfs only-outside ../late');
  try {
    expect(await okInside(tree, 'web', 'grep -c only-outside /proc/self/mountinfo || :')).toBe('0');
  } finally {
    await tree.ok('umount ../late');
  }
  const fields = mounts(await okInside(tree, 'web', 'cat /proc/self/mountinfo')).flatMap((mount) => mount.fields);
  expect(fields.filter((field) => field !== '')).toEqual([]);
});

it('sees none of the tree’s mounts but its own directory', async () => {
  await using tree = await mounted();
  const all = mounts(await okInside(tree, 'web', 'cat /proc/self/mountinfo'));
  expect(all.filter(({ type }) => type?.startsWith('fuse')).map(({ point }) => point)).toEqual([tree.dir]);
});
