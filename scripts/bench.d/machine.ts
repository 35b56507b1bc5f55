import { readFileSync } from 'node:fs';
import os from 'node:os';
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
  };
}

async function commit(): Promise<string> {
  return (await run('git', ['describe', '--always', '--dirty'], SHORT_MS).catch(() => 'no commit')).trim();
}
