import { readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scratch } from '../support/containers.ts';
import { bomb } from '../support/bomb.ts';
import { discovering, shown, unshared } from '../support/found.ts';
import { eventually, isAlive } from '../support/mounted.ts';

/**
 * How many processes of a session in a mount namespace were seen at most, in half a second of looking. The numbers of both
 * are given again, but not both to the same. Who is ending, or is to be killed before it does anything else, is not counted.
 */
const LOOK = `
import os, re, time
until, most = time.monotonic() + 0.5, 0
PF_EXITING, SIGKILL = 4, 1 << 8
def is_there(pid):
    try:
        stat = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        if stat[3] != os.environ["SID"] or os.readlink(f"/proc/{pid}/ns/mnt") != os.environ["MNT"]:
            return False
        pending = re.findall(r"^S[ih][gd]Pnd:\\s*(\\w+)", open(f"/proc/{pid}/status").read(), re.M)
        return not int(stat[6]) & PF_EXITING and not any(int(mask, 16) & SIGKILL for mask in pending)
    except OSError:
        return False
while time.monotonic() < until:
    most = max(most, sum(map(is_there, filter(str.isdigit, os.listdir("/proc")))))
print(most)`;

it('kills all of a discovered container that shares its cgroup with others and forks meanwhile, and nobody else', async () => {
  using files = scratch();
  await using tree = await discovering();
  const bystander = tree.background('sleep', '1000');
  for (let round = 0; round < 3; round++) {
    const go = files.at(`go-${round}`);
    await using maker = await bomb(go);
    const at = await shown(tree, maker.pid);
    const mnt = readlinkSync(`/proc/${maker.pid}/ns/mnt`);
    await tree.ok(`touch ${go}`);
    await eventually(async () => Number(await tree.ok(`wc -l < ${at}/.procs`)) > 25, 'the bomb went off');
    const env = { LOOK, MNT: mnt, SID: String(maker.child.pid) };
    const seen = () => tree.ok('exec python3 -c "$LOOK"', { env });
    expect(Number(await seen())).toBeGreaterThan(25);
    await tree.ok(`rm -rf ${at}`);
    expect(await seen()).toBe('0');
  }
  expect(isAlive(bystander.pid!)).toBe(true);
});

it('refuses to kill for a user what is not his', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--mount'], 'setpriv --reuid=4321 --clear-groups sleep 1000 & exec sleep 1000');
  const at = await shown(tree, maker.pid);
  await tree.ok(`chmod 1777 . && chown 4321 ${at}`);
  const { status } = await tree.as(4321, `rm -rf ${at}`);
  expect(status).not.toBe(0);
  expect(isAlive(maker.pid)).toBe(true);
  expect((await tree.as(4321, `echo KILL > ${at}/.signal`)).status).not.toBe(0);
  expect((await tree.as(4321, `echo stopped > ${at}/.state`)).status).not.toBe(0);
  expect(isAlive(maker.pid)).toBe(true);
});
