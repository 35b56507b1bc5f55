import { describe, expect, test } from 'vitest';
import { isAskedToFreeze } from '../../../src/cgroup/freeze.ts';
import { kill } from '../../../src/cgroup/kill.ts';
import { FakeCgroupfs } from '../../support/fake-cgroupfs.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';

const WEB = '/sys/fs/cgroup/nsdir-x/1';

function machine(...without: ('cgroup.kill' | 'cgroup.freeze')[]) {
  const fake = new FakeCgroupfs({ without });
  fake.cgroup(`${WEB}/own`, 5, 6);
  fake.cgroup(`${WEB}/2/own`, 7);
  const kernel = new FakeKernel();
  for (const pid of fake.processes.keys()) kernel.processes.add(pid);
  kernel.onSignal = (pid) => {
    if (fake.stubborn.has(pid)) return;
    kernel.processes.delete(pid);
    fake.processes.delete(pid);
  };
  return { fake, kernel, system: { files: fake.files, kernel } };
}

describe('kill', () => {
  test('is one write, and true when all are dead', async () => {
    const { fake, system, kernel } = machine();
    expect(await kill(system, WEB)).toBe(true);
    expect(fake.writes).toEqual([[`${WEB}/cgroup.kill`, '1']]);
    expect(kernel.calls).toEqual([]);
  });

  test('writes nothing where nothing lives, or the cgroup is gone', async () => {
    const { fake, system } = machine();
    fake.processes.clear();
    expect(await kill(system, WEB)).toBe(true);
    expect(await kill(system, `${WEB}/9`)).toBe(true);
    expect(fake.writes).toEqual([]);
  });

  test('kills again what is moved in later', async () => {
    const { fake, system } = machine();
    fake.stubborn.add(5);
    setTimeout(() => fake.stubborn.delete(5), 10);
    expect(await kill(system, WEB)).toBe(true);
    expect(fake.writes.length).toBeGreaterThan(1);
  });

  test('is false when one would not die in time', async () => {
    const { fake, system } = machine();
    fake.stubborn.add(5);
    expect(await kill(system, WEB, { limitMs: 5 })).toBe(false);
  });

  test('EINTR when the caller gives up', async () => {
    const { fake, system } = machine();
    fake.stubborn.add(5);
    await expect(kill(system, WEB, { signal: AbortSignal.abort() })).rejects.toMatchObject({ errno: 'EINTR' });
    expect([...fake.processes.keys()]).toEqual([5]);
  });
});

describe('kill without cgroup.kill', () => {
  test('freezes, signals each process through a pidfd, thaws, and keeps no descriptor', async () => {
    const { fake, kernel, system } = machine('cgroup.kill');
    expect(await kill(system, WEB)).toBe(true);
    expect(fake.writes).toEqual([
      [`${WEB}/cgroup.freeze`, '1'],
      [`${WEB}/cgroup.freeze`, '0'],
    ]);
    const signals = kernel.calls.filter(([method]) => method === 'pidfdSendSignal');
    expect(signals.map(([, , signal]) => signal)).toEqual([9, 9, 9]);
    expect(kernel.openFds).toEqual([]);
  });

  test('works without the freezer, until no new ones come', async () => {
    const { fake, kernel, system } = machine('cgroup.kill', 'cgroup.freeze');
    let born = 100;
    const die = kernel.onSignal;
    kernel.onSignal = (pid, signal) => {
      die(pid, signal);
      if (born >= 120) return;
      fake.processes.set(born, `${WEB}/own`);
      kernel.processes.add(born++);
    };
    expect(await kill(system, WEB)).toBe(true);
    expect(fake.processes.size).toBe(0);
  });

  test('does not signal a pid that is no longer listed once it is held', async () => {
    const { fake, kernel, system } = machine('cgroup.kill');
    const open = kernel.pidfdOpen.bind(kernel);
    kernel.pidfdOpen = (pid) => {
      if (pid === 6) fake.processes.delete(6);
      return open(pid);
    };
    const hit: number[] = [];
    const die = kernel.onSignal;
    kernel.onSignal = (pid, signal) => {
      hit.push(pid);
      die(pid, signal);
    };
    await kill(system, WEB);
    expect(hit).toEqual([5, 7]);
  });

  test('leaves frozen what was frozen, and bears processes that are gone', async () => {
    const { fake, kernel, system } = machine('cgroup.kill');
    fake.files.writeFileSync(`${WEB}/cgroup.freeze`, '1');
    kernel.processes.delete(5);
    expect(await kill(system, WEB, { limitMs: 5 })).toBe(false);
    expect([...fake.processes.keys()]).toEqual([5]);
    expect(isAskedToFreeze(fake.files, WEB)).toBe(true);
  });
});
