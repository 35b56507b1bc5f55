import { readdirSync, readlinkSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { isAlive } from '../support/mounted.ts';
import { ordinaryUser } from '../support/ordinary-user.ts';

const MOUNT = 'nsdir mount --discovery off';

describe.each([
  { what: 'without a cgroup of his own', ownCgroup: false },
  { what: 'in a cgroup that was handed to him', ownCgroup: true },
])('an ordinary user $what', ({ ownCgroup }) => {
  it('mounts, makes, starts, renames and removes containers, and leaves nothing', async () => {
    await using user = await ordinaryUser({ ownCgroup });
    expect(await user.ok(MOUNT)).toMatch(/^mounted at .*\/ns \(daemon \d+\)$/);
    await user.ok('mkdir -p ns/web/job; echo running > ns/web/.state; echo running > ns/web/job/.state');
    expect(await user.ok('cat ns/web/.state; mv ns/web ns/home; ls ns; ls ns/home')).toBe('running\nhome\njob');
    const inits = (await user.ok('cat ns/home/.procs ns/home/job/.procs')).split('\n').map(Number);
    expect(inits).toHaveLength(2);
    expect(inits.every(isAlive)).toBe(true);
    await user.ok('rm -rf ns/home');
    expect(inits.some(isAlive)).toBe(false);
    expect(await user.ok('ls ns')).toBe('');
    expect(await user.ok('nsdir umount --kill; ls ns')).toBe(`${user.tree} is unmounted`);
    expect(readdirSync(user.home).sort()).toContain('ns');
    expect(await user.ok('find .local -type f')).toBe('');
    const left = await user.ok('ps -u "$(id -u)" -o stat=,args=');
    expect(left.split('\n').filter((line) => /^[^Z].*nsdir-init/.test(line))).toEqual([]);
  });

  it('is 0 inside, and has his subordinate ids', async () => {
    await using user = await ordinaryUser({ ownCgroup });
    await user.ok(MOUNT);
    expect(await user.ok('nsdir run web -- id -u; nsdir run job -- hostname')).toBe('0\njob');
    const other = 'setpriv --reuid=5 --regid=5 --clear-groups';
    expect(await user.ok(`nsdir run web -- ${other} id -u`)).toBe('5');
    expect(await user.ok('nsdir run web/in -- sh -c "id -u; hostname; touch ~/made"; stat -c %U ~/made')).toBe(
      `0\nin\n${user.name}`,
    );
    // A process of another id in it is his to kill.
    await user.ok(`nsdir run -d web -- ${other} sleep 1000`);
    await user.ok('until [ $(wc -l < ns/web/.procs) = 2 ]; do sleep 0.05; done; echo TERM > ns/web/.signal');
    await user.ok('until [ "$(cat ns/web/.exit)" = 143 ]; do sleep 0.05; done 2> /dev/null');
  });

  it('has a process of his own enter, which dies with the container', async () => {
    await using user = await ordinaryUser({ ownCgroup });
    await user.ok(MOUNT);
    const script = `sleep 1000 > /dev/null 2>&1 & ln -s web ns/.proxy/$! || cat ns/web/.error; echo $!; readlink ns/.proxy/$!`;
    const [pid = '', link] = (await user.ok(`mkdir ns/web; ${script}`)).split('\n');
    expect(link).toBe('../web');
    expect((await user.ok('cat ns/web/.procs')).split('\n')).toContain(pid);
    const [init] = (await user.ok('readlink ns/web/.init')).split('\n');
    expect(readlinkSync(`/proc/${pid}/ns/mnt`)).toBe(readlinkSync(`${init ?? ''}/ns/mnt`));
    expect(await user.ok('nsdir enter web -- hostname')).toBe('web');
    await user.ok('rm -rf ns/web');
    expect(isAlive(Number(pid))).toBe(false);
  });

  it("is refused others' processes, checkpoints, and, without a cgroup, to freeze, each with a reason", async () => {
    await using user = await ordinaryUser({ ownCgroup });
    await user.ok(MOUNT);
    const refused = async (script: string) => {
      const { status } = await user.sh(script);
      expect(status, script).not.toBe(0);
      return await user.ok('cat ns/web/.error');
    };
    await user.ok('mkdir ns/web; echo running > ns/web/.state');
    expect(await refused(`ln -s web ns/.proxy/${process.pid}`)).toMatch(/^EPERM: .*may not trace/);
    expect(await refused('touch ns/web/.checkpoint')).toMatch(/^EPERM: .*CRIU needs root/);
    // What holds its processes is not in a copy: it must not be taken for one.
    expect((await user.sh('mv ns/web /tmp/nsdir-never')).status).not.toBe(0);
    await user.ok('rm -rf /tmp/nsdir-never');
    expect(await user.ok('cat ns/web/.state')).toBe('running');
    if (ownCgroup) {
      expect(await user.ok('echo frozen > ns/web/.state; cat ns/web/.state')).toBe('frozen');
      return;
    }
    expect(await refused('/bin/echo frozen > ns/web/.state')).toMatch(/^ENOTSUP: .*cgroup/);
    expect(await refused('/bin/echo running uts > ns/other/.state; mkdir ns/web2; mv ns/web ns/web2/')).toMatch(
      /^ENOTSUP/,
    );
    await user.ok('mkdir ns/bare');
    expect((await user.sh('/bin/echo running uts > ns/bare/.state')).status).not.toBe(0);
    expect(await user.ok('cat ns/bare/.error')).toMatch(/^ENOTSUP: .*without a pid namespace/);
  });

  it('finds his containers again after a death of the daemon, and after a new mount', async () => {
    await using user = await ordinaryUser({ ownCgroup });
    await user.ok(MOUNT);
    await user.ok('nsdir run -d web -- sleep 1000');
    const init = await user.ok('readlink ns/web/.init');
    await user.ok(
      'kill -9 $(cat .local/state/nsdir/run/*/daemon.pid); until cat ns/web/.state; do sleep 0.1; done 2> /dev/null',
    );
    expect(await user.ok('readlink ns/web/.init; cat ns/web/.state')).toBe(`${init}\nrunning`);
    expect(await user.ok('nsdir umount')).toContain('live on');
    expect(isAlive(Number(init.slice('/proc/'.length)))).toBe(true);
    await user.ok(MOUNT);
    expect(await user.ok('readlink ns/web/.init; wc -l < ns/web/.procs')).toBe(`${init}\n2`);
    await user.ok('rm -rf ns/web');
    expect(isAlive(Number(init.slice('/proc/'.length)))).toBe(false);
  });
});

it('lets nobody else look in', async () => {
  await using user = await ordinaryUser();
  await user.ok(`chmod 755 . && ${MOUNT}`);
  expect(() => readdirSync(user.tree)).toThrow(/EACCES/);
});

it('gives him no other id than his own where newuidmap maps none any more', async () => {
  await using user = await ordinaryUser();
  await user.ok(MOUNT);
  await execa('sed', ['-i', `/^${user.name}:/d`, '/etc/subuid', '/etc/subgid']);
  expect(await user.ok('nsdir run web -- cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups')).toMatch(
    /^ +0 +(\d+) +1\n +0 +\d+ +1\ndeny$/,
  );
});

it('keeps him to the modes of his directories', async () => {
  await using user = await ordinaryUser();
  await user.ok(`${MOUNT}; mkdir -p ns/closed/in; chmod 0 ns/closed`);
  for (const attempt of ['ls ns/closed', 'mkdir ns/closed/more', 'ls ns/closed/in', 'rmdir ns/closed/in']) {
    expect((await user.sh(attempt)).stderr, attempt).toContain('Permission denied');
  }
  await user.ok('chmod 700 ns/closed; rm -rf ns/closed');
});
