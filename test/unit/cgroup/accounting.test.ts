import { describe, expect, test } from 'vitest';
import { accounting, machineAccounting, statText } from '../../../src/cgroup/accounting.ts';
import { FakeCgroupfs } from '../../support/fake-cgroupfs.ts';

const WEB = '/sys/fs/cgroup/nsdir-x/1';
const CPU_STAT = 'usage_usec 30\nuser_usec 20\nsystem_usec 10\nnice_usec 5\n';

function machine(): FakeCgroupfs {
  const fake = new FakeCgroupfs();
  fake.cgroup(`${WEB}/own`, 5, 6);
  fake.cgroup(`${WEB}/2/own`, 7);
  fake.volume.writeFileSync(`${WEB}/cpu.stat`, CPU_STAT);
  for (const [pid, resident] of [
    [5, 10],
    [7, 3],
  ] as const) {
    fake.volume.mkdirSync(`/proc/${pid}`, { recursive: true });
    fake.volume.writeFileSync(`/proc/${pid}/statm`, `999 ${resident} 2 1 0 1 0\n`);
  }
  return fake;
}

/** An auxiliary vector with this page size (elf.h). */
function auxv(pageSize: number): Buffer {
  const vector = Buffer.alloc(48);
  [3, 4096, 6, pageSize, 0, 0].forEach((value, index) => vector.writeBigUInt64LE(BigInt(value), index * 8));
  return vector;
}

describe('accounting', () => {
  test('takes the controllers’ word where they are', async () => {
    const fake = machine();
    fake.volume.writeFileSync(`${WEB}/memory.current`, '8192\n');
    fake.volume.writeFileSync(`${WEB}/pids.current`, '4\n');
    fake.volume.writeFileSync(`${WEB}/io.stat`, '8:0 rbytes=1 wbytes=2 rios=9\n8:16 rbytes=10 wbytes=20 rios=9\n');
    expect(statText(await accounting(fake.files, WEB))).toBe(
      'cpu.usage_usec 30\ncpu.user_usec 20\ncpu.system_usec 10\nmemory.current 8192\nmemory.source cgroup\n' +
        'pids.current 4\nio.rbytes 11\nio.wbytes 22\n',
    );
  });

  test('sums /proc over the subtree where they are not, without what just ended', async () => {
    const records = new Map(await accounting(machine().files, WEB));
    expect(records.get('memory.current')).toBe(13 * 4096);
    expect(records.get('memory.source')).toBe('proc');
    expect(records.get('pids.current')).toBe(3);
    expect(records.has('io.rbytes')).toBe(false);
  });

  test('counts in pages of this machine', async () => {
    const fake = machine();
    fake.volume.mkdirSync('/proc/self', { recursive: true });
    fake.volume.writeFileSync('/proc/self/auxv', auxv(65536));
    expect(new Map(await accounting(fake.files, WEB)).get('memory.current')).toBe(13 * 65536);
  });

  test('is zero for a cgroup that is gone', async () => {
    const records = await accounting(new FakeCgroupfs().files, WEB);
    expect(statText(records)).toBe('memory.current 0\nmemory.source proc\npids.current 0\n');
  });
});

test('machineAccounting is the whole machine', () => {
  const fake = machine();
  fake.volume.writeFileSync('/sys/fs/cgroup/cpu.stat', CPU_STAT);
  fake.volume.writeFileSync('/proc/meminfo', 'MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    400 kB\n');
  fake.volume.writeFileSync('/proc/loadavg', '0.1 0.2 0.3 2/345 999\n');
  expect(statText(machineAccounting(fake.files, '/sys/fs/cgroup'))).toBe(
    'cpu.usage_usec 30\ncpu.user_usec 20\ncpu.system_usec 10\nmemory.current 614400\nmemory.source proc\npids.current 345\n',
  );
});
