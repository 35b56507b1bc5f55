import { describe, expect, test } from 'vitest';
import { DEFAULT_MASK, EnteringWorld, OUTSIDE, PIDFD_OPEN, SETNS } from '../../support/entering-world.ts';

describe('a container whose user namespace does not know the target’s user', () => {
  const CLONE_NEWUSER = 0x1000_0000n;
  const [CLOSE, PRCTL, SETGROUPS, SETRESUID, SETRESGID, UNSHARE] = [3n, 157n, 116n, 117n, 119n, 272n];

  async function ofUser(maps: { readonly uid: string; readonly gid: string }): Promise<EnteringWorld> {
    const it = new EnteringWorld();
    await it.started(it.web);
    const { pid } = it.web.init!;
    it.become(pid, 'user', 55);
    it.kernel.namespaces.set(`${pid}/user`, { inode: 55, parent: { inode: 6 }, owner: 1001 });
    for (const kind of ['uid', 'gid'] as const) it.files.writeFileSync(`/proc/${pid}/${kind}_map`, maps[kind]);
    return it;
  }

  test('has him become its root, whom nobody there may look into, and who leaves his groups before', async () => {
    using it = await ofUser({ uid: '0 1001 1\n', gid: '0 1001 1\n' });
    expect(await it.asked(it.web)).toBe('entered');
    expect(it.made.map(([number]) => number)).toEqual([
      ...[UNSHARE, PIDFD_OPEN, SETGROUPS, PRCTL, SETNS, SETRESGID, SETRESUID, CLOSE],
    ]);
    expect(it.made[2]?.slice(0, 3)).toEqual([SETGROUPS, 0n, 0n]);
    expect(it.made[3]?.slice(0, 3)).toEqual([PRCTL, 4n, 0n]);
    expect(it.made[4]?.[2]).toBe(DEFAULT_MASK | CLONE_NEWUSER);
    for (const call of [5, 6]) expect(it.made[call]?.slice(1, 4)).toEqual([0n, 0n, 0n]);
  });

  test('leaves who has a number in it as he is', async () => {
    using it = await ofUser({ uid: '0 0 4294967295\n', gid: '0 0 4294967295\n' });
    expect(await it.asked(it.web)).toBe('entered');
    expect(it.made.map(([number]) => number)).toEqual([UNSHARE, PIDFD_OPEN, SETNS, CLOSE]);
  });

  test('is refused to who would be nobody there, as long as it has no root', async () => {
    using it = await ofUser({ uid: '1000 1001 1\n', gid: '0 1001 1\n' });
    expect(await it.asked(it.web)).toMatch(/EPERM/);
    expect([it.made, it.cgroupOfTarget()]).toEqual([[], OUTSIDE]);
  });

  test('does nothing to who lacks the privilege for it', async () => {
    using it = await ofUser({ uid: '0 1001 1\n', gid: '0 1001 1\n' });
    const status = `/proc/${it.target}/status`;
    const text = it.files.readFileSync(status, 'utf8');
    it.files.writeFileSync(status, text.replace(/CapEff:.*/, 'CapEff:\t0000000000000000'));
    expect(await it.asked(it.web)).toBe('EPERM');
    expect([it.made, it.cgroupOfTarget()]).toEqual([[], OUTSIDE]);
  });
});
