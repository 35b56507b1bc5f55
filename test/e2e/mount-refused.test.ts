import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { instanceFor } from '../../src/instance.ts';
import { AS_USER, emptyDirectory, nsdir, nsdirAfter } from '../support/nsdir.ts';
import { publicCopy } from '../support/public-copy.ts';
import { type Outcome } from '../support/mounted.ts';

/** It was refused for this, with this remedy, and nothing was begun. */
function expectRefusal({ status, stdout, stderr }: Outcome, dir: string, problem: string, remedy: string): void {
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain(`cannot mount at ${dir}`);
  expect(stderr).toContain(problem);
  expect(stderr).toMatch(/^ +mend it: .+$/m);
  expect(stderr).toContain(remedy);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(` ${dir} `);
  expect(existsSync(instanceFor(dir).runDir)).toBe(false);
}

test('a directory that is not empty is busy', async () => {
  using place = emptyDirectory();
  writeFileSync(`${place.dir}/mine`, 'text');
  expectRefusal(await nsdir(['mount', place.dir]), place.dir, 'is not empty', 'nsdir mount DIR');
  expect(readFileSync(`${place.dir}/mine`, 'utf8')).toBe('text');
});

test('a file is no mount point', async () => {
  using place = emptyDirectory();
  const file = `${place.dir}/file`;
  writeFileSync(file, '');
  expectRefusal(await nsdir(['mount', file]), file, 'is no directory', 'nsdir mount DIR');
});

test('another file system is left alone', async () => {
  using place = emptyDirectory();
  const { status, stderr } = await nsdirAfter(`mount -t tmpfs mine ${place.dir}`, 'mount', place.dir);
  expect(status).toBe(1);
  expect(stderr).toContain(`${place.dir} is busy: another file system is mounted there`);
  expect(stderr).toContain(`umount ${place.dir}`);
});

test('an ordinary user who wants the device is told to be root', async () => {
  using place = emptyDirectory();
  await using copy = await publicCopy();
  const outcome = await nsdir(['mount', '--adapter', 'device', place.dir], AS_USER, copy.nsdir);
  expectRefusal(outcome, place.dir, 'CAP_SYS_ADMIN', 'sudo');
});

test.each(['CAP_SYS_ADMIN', 'CAP_KILL', 'CAP_SYS_PTRACE'])('root without %s is told which is missing', async (name) => {
  using place = emptyDirectory();
  const without = `-${name.replace('CAP_', '').toLowerCase()}`;
  const around = ['setpriv', `--bounding-set=${without}`, `--inh-caps=${without}`];
  expectRefusal(await nsdir(['mount', place.dir], around), place.dir, `${name} missing`, '--privileged');
});

test.each([
  ['an empty /dev', 'mount -t tmpfs none /dev; mknod /dev/null c 1 3', 'ENOENT', 'modprobe fuse'],
  [
    'a /dev/fuse that is another device',
    'mount --bind /dev/null /dev/fuse; mount -o remount,bind,nodev /dev/fuse',
    'EACCES',
    '',
  ],
])('without FUSE: %s', async (_what, script, errno, remedy) => {
  using place = emptyDirectory();
  expectRefusal(await nsdirAfter(script, 'mount', place.dir), place.dir, `Cannot open /dev/fuse: ${errno}`, remedy);
});

test('without cgroup v2 it says how to mount one', async () => {
  using place = emptyDirectory();
  const script = `while read -r _ _ _ _ point rest; do case $rest in *' - cgroup2 '*) umount -l "$point";; esac; done < /proc/self/mountinfo`;
  expectRefusal(await nsdirAfter(script, 'mount', place.dir), place.dir, 'cgroup v2', 'mount -t cgroup2');
});

test('all that is missing is said at once', async () => {
  using place = emptyDirectory();
  writeFileSync(`${place.dir}/mine`, '');
  const script = 'mount -t tmpfs none /dev; mknod /dev/null c 1 3';
  const outcome = await nsdirAfter(script, 'mount', place.dir);
  expectRefusal(outcome, place.dir, 'Cannot open /dev/fuse', 'modprobe fuse');
  expect(outcome.stderr).toContain('is not empty');
});

test.each(['/proc/nsdir', '/proc/1/task/nsdir', '/dev/null/nsdir'])(
  'where no directory can be made, %s, it fails at once',
  async (dir) => {
    const { status, stderr } = await nsdir(['mount', dir]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^nsdir mount: .*\/(proc|dev)\//m);
    expect(stderr).not.toMatch(/^\s+at /m);
  },
);
