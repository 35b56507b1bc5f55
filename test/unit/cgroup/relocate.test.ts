import { describe, expect, test } from 'vitest';
import { isFrozen } from '../../../src/cgroup/cgroup.ts';
import { freeze, isAskedToFreeze } from '../../../src/cgroup/freeze.ts';
import { moveProcess, moveProcesses, relocate } from '../../../src/cgroup/relocate.ts';
import { pid } from '../../../src/ids.ts';
import { FakeCgroupfs } from '../../support/fake-cgroupfs.ts';

const BASE = '/sys/fs/cgroup/nsdir-x';
const FROM = `${BASE}/1/2`;
const TO = `${BASE}/3/2`;

function machine(): FakeCgroupfs {
  const fake = new FakeCgroupfs();
  fake.cgroup(`${FROM}/own`, 5, 6);
  fake.cgroup(`${FROM}/4/own/inner`, 7);
  fake.cgroup(`${BASE}/3`);
  return fake;
}

describe('relocate', () => {
  test('moves cgroups and processes, and lets them go on', async () => {
    const fake = machine();
    await relocate(fake.files, FROM, TO);
    expect(Object.fromEntries(fake.processes)).toEqual({ 5: `${TO}/own`, 6: `${TO}/own`, 7: `${TO}/4/own/inner` });
    expect(fake.files.existsSync(FROM)).toBe(false);
    expect(isFrozen(fake.files, TO)).toBe(false);
  });

  test('keeps the processes frozen on the way', async () => {
    const fake = machine();
    await relocate(fake.files, FROM, TO);
    const frozen = fake.writes.findIndex(([path, data]) => path === `${TO}/cgroup.freeze` && data === '1');
    const moved = fake.writes.findIndex(([path]) => path.startsWith(TO) && path.endsWith('cgroup.procs'));
    expect(fake.writes[0]).toEqual([`${FROM}/cgroup.freeze`, '1']);
    expect(frozen).toBeGreaterThan(0);
    expect(moved).toBeGreaterThan(frozen);
  });

  test('leaves frozen what was frozen, here and below', async () => {
    const fake = machine();
    await freeze(fake.files, `${FROM}/4`);
    await relocate(fake.files, FROM, TO);
    expect(isAskedToFreeze(fake.files, `${TO}/4`)).toBe(true);
    expect(isAskedToFreeze(fake.files, TO)).toBe(false);
    await freeze(fake.files, TO);
    await relocate(fake.files, TO, FROM);
    expect(isAskedToFreeze(fake.files, FROM)).toBe(true);
  });

  test('takes settings along, a line per write, but not what is the same there', async () => {
    const fake = machine();
    fake.cgroup(TO);
    const knobs = {
      'pids.max': ['12\n', 'max\n'],
      'io.max': ['8:0 rbps=1\n8:16 wbps=2\n', ''],
      'memory.max': ['max\n', 'max\n'],
    };
    // The target's files appear with its directory.
    const files = {
      ...fake.files,
      mkdirSync: (path: string) => {
        fake.files.mkdirSync(path);
        for (const [knob, [, initial]] of Object.entries(knobs))
          fake.volume.writeFileSync(`${path}/${knob}`, initial ?? '');
      },
    };
    for (const [knob, [value]] of Object.entries(knobs)) fake.volume.writeFileSync(`${FROM}/${knob}`, value ?? '');
    files.rmdirSync(TO);
    await relocate(files, FROM, TO);
    const settings = fake.writes.filter(([path]) => path.startsWith(TO) && path.endsWith('.max'));
    expect(settings).toEqual([
      [`${TO}/io.max`, '8:0 rbps=1'],
      [`${TO}/io.max`, '8:16 wbps=2'],
      [`${TO}/pids.max`, '12'],
    ]);
  });

  test('puts everything back when the kernel refuses a process', async () => {
    const fake = machine();
    const before = new Map(fake.processes);
    fake.refusals.set(`${TO}/4/own/inner/cgroup.procs`, 'EOPNOTSUPP');
    await expect(relocate(fake.files, FROM, TO)).rejects.toMatchObject({ errno: 'EOPNOTSUPP' });
    expect(fake.processes).toEqual(before);
    expect(fake.files.existsSync(TO)).toBe(false);
    expect(isFrozen(fake.files, FROM)).toBe(false);
  });

  test('EEXIST leaves a target that is there alone', async () => {
    const fake = machine();
    fake.cgroup(`${TO}/own`, 9);
    await expect(relocate(fake.files, FROM, TO)).rejects.toMatchObject({ errno: 'EEXIST' });
    expect(fake.processes.get(9)).toBe(`${TO}/own`);
    expect(isFrozen(fake.files, FROM)).toBe(false);
  });
});

describe('moveProcesses', () => {
  test('passes over a process that exits meanwhile', async () => {
    const fake = machine();
    const files = {
      ...fake.files,
      writeFileSync: (path: string, data: string) => {
        if (data === '5') fake.processes.delete(5);
        fake.files.writeFileSync(path, data);
      },
    };
    await moveProcesses(files, `${FROM}/own`, `${BASE}/3`);
    expect(fake.processes.get(6)).toBe(`${BASE}/3`);
  });

  test('EBUSY when new ones keep coming', async () => {
    const fake = machine();
    let born = 100;
    const files = {
      ...fake.files,
      writeFileSync: (path: string, data: string) => {
        fake.files.writeFileSync(path, data);
        fake.processes.set(born++, `${FROM}/own`);
      },
    };
    await expect(moveProcesses(files, `${FROM}/own`, `${BASE}/3`)).rejects.toMatchObject({ errno: 'EBUSY' });
  });
});

test('moveProcess says whether the process was there', () => {
  const fake = machine();
  expect(moveProcess(fake.files, pid(5), `${BASE}/3`)).toBe(true);
  expect(moveProcess(fake.files, pid(99), `${BASE}/3`)).toBe(false);
});
