import { Volume } from 'memfs';
import { runChecks, type Finding, type Machine } from '../../src/cli/checks/check.ts';
import { checksFor } from '../../src/cli/checks/table.ts';
import type { FileAccess } from '../../src/files.ts';
import { instanceFor } from '../../src/instance.ts';
import type { Mount } from '../../src/mountinfo.ts';

/** A machine that has everything. */
export const FILES = {
  '/proc/self/status': 'Name:\tnode\nCapEff:\t000001ffffffffff\n',
  '/proc/self/mountinfo': '30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
  '/proc/sys/kernel/osrelease': '6.18.0-test\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids\n',
  '/sys/fs/cgroup/system.slice/cgroup.kill': '',
  '/sys/fs/cgroup/system.slice/cgroup.freeze': '',
  '/namespaces': null,
};

export interface Changes {
  readonly files?: Readonly<Record<string, string | null>>;
  readonly machine?: Partial<Machine>;
}

/** By their names. */
export async function findings({ files = {}, machine = {} }: Changes = {}): Promise<Map<string, Finding>> {
  const everything: Machine = {
    files: Volume.fromJSON({ ...FILES, ...files }) as unknown as FileAccess,
    nodeVersion: 'v20.15.0',
    initPath: '/opt/nsdir/dist/nsdir-init',
    openDevice: () => Promise.resolve(undefined),
    criu: () => Promise.resolve({ program: '/usr/sbin/criu', version: '4.2', lacks: undefined }),
    runtime: () => '/usr/sbin/runc',
    runInit: () => Promise.resolve({ status: 125, stderr: 'usage: …' }),
    tryPrivateMachine: () => Promise.resolve({ status: 0, stderr: '' }),
    mountsAt: () => Promise.resolve([]),
    mountOf: () => Promise.resolve(undefined),
    ailmentOf: () => Promise.resolve(undefined),
    ...machine,
  };
  const found = await runChecks(checksFor('device'), everything, instanceFor('/namespaces'));
  return new Map(found.map((finding) => [finding.name, finding]));
}

export const mounted = (type: string): Mount => ({
  id: 40,
  parent: 22,
  device: '0:40',
  root: '/',
  mountPoint: '/namespaces',
  options: ['rw'],
  type,
  source: 'thing',
  superOptions: ['rw'],
});

export const lacking = (found: Map<string, Finding>) =>
  [...found.values()].filter(({ ok }) => !ok).map(({ name }) => name);
