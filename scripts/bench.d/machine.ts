import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './command.ts';

const SHORT_MS = 10_000;

/** Where and when it was measured. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly virtualisation: string;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  readonly nsdir: string;
  /** Average of the last minute: others' work disturbs. */
  readonly loadBefore: number;
  /** Priority of everything measured, ours and the peers: 0 unless the bench was run otherwise (nice(1)). */
  readonly nice: number;
  /** Weight of the cgroup it all ran in, `cpu.shares 1024` or `cpu.weight 100` if nobody changed it. */
  readonly cpuWeight: string;
}

export async function describeMachine(): Promise<Machine> {
  const release = readFileSync('/etc/os-release', 'utf8');
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    virtualisation: (await run('systemd-detect-virt', ['--vm'], SHORT_MS).catch(() => 'unknown')).trim(),
    kernel: os.release(),
    system: /^PRETTY_NAME="?([^"\n]+)/m.exec(release)?.[1] ?? 'unknown',
    node: process.version,
    nsdir: `${version} (${await commit()})`,
    loadBefore: os.loadavg()[0] ?? 0,
    nice: os.getPriority(),
    cpuWeight: cpuWeight(),
  };
}

async function commit(): Promise<string> {
  return (await run('git', ['describe', '--always', '--dirty'], SHORT_MS).catch(() => 'no commit')).trim();
}

/** Of the bench's own cgroup, in a hierarchy of v1 that has the cpu controller, or in v2's. */
function cpuWeight(): string {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  for (const [, controllers = '', directory = ''] of readFileSync('/proc/self/cgroup', 'utf8').matchAll(CGROUP_LINE)) {
    const v1 = controllers.split(',').includes('cpu');
    if (!v1 && controllers !== '') continue;
    const [, root = ''] = (v1 ? CPU_HIERARCHY : CGROUP2_HIERARCHY).exec(mounts) ?? [];
    const knob = v1 ? 'cpu.shares' : 'cpu.weight';
    const file = path.join(root, directory, knob);
    if (existsSync(file)) return `${knob} ${readFileSync(file, 'utf8').trim()}`;
  }
  return 'no weight';
}

/** Of /proc/self/cgroup: controllers (none: cgroup v2) and directory. */
const CGROUP_LINE = /^\d+:([^:]*):(.*)$/gm;
/** Of /proc/self/mountinfo: the mount point. */
const CPU_HIERARCHY = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup \S+ (?:\S+,)?cpu(?:,|$)/m;
const CGROUP2_HIERARCHY = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m;
