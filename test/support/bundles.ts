import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { countingIn, type Counting } from './checkpoints.ts';

/** Those that each way of a container with a bundle is tried with. */
export const RUNTIMES = ['runc', 'crun'] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

/** Daemons that are started meanwhile run bundles by this one alone. */
export function byRuntime(name: RuntimeName): Disposable {
  process.env['NSDIR_RUNTIME'] = execFileSync('which', [name], { encoding: 'utf8' }).trim();
  return {
    [Symbol.dispose]() {
      delete process.env['NSDIR_RUNTIME'];
    },
  };
}

export interface Bundle extends Disposable {
  readonly dir: string;
  /** Directory of the machine that the container has as `/data`. */
  readonly data: string;
  /** What its program writes there by {@link COUNTS}. */
  readonly counter: Counting;
  /** Changes what config.json says. */
  configure(change: (config: Config) => object): void;
}

type Config = ReturnType<typeof configFor>;

/** A program of a bundle: says the next number, and writes it to `/data/count`, for ever. */
export const COUNTS = 'i=0; while :; do i=$((i+1)); echo $i; echo $i >> /data/count; sleep 0.02; done';

/** An OCI bundle that runs `script` with sh; its files are the machine's /usr. */
export function bundle(script: string): Bundle {
  const dir = mkdtempSync('/var/tmp/nsdir-bundle-');
  const data = path.join(dir, 'data');
  for (const name of ['data', 'rootfs', ...DIRECTORIES.map((made) => `rootfs/${made}`)])
    mkdirSync(path.join(dir, name));
  for (const link of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${link}`, path.join(dir, 'rootfs', link));
  const config = configFor(script);
  const write = (value: object) => {
    writeFileSync(path.join(dir, 'config.json'), JSON.stringify(value));
  };
  write(config);
  return {
    dir,
    data,
    counter: countingIn(path.join(data, 'count')),
    configure: (change) => {
      write(change(config));
    },
    [Symbol.dispose]() {
      rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

const DIRECTORIES = ['usr', 'data', 'proc', 'dev', 'sys', 'tmp'];

function configFor(script: string) {
  return {
    ociVersion: '1.0.2',
    process: {
      // As `runc spec` has it.
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh', '-c', script],
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'bundled',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      { destination: '/usr', type: 'bind', source: '/usr', options: ['bind', 'ro'] },
      { destination: '/data', type: 'bind', source: 'data', options: ['bind', 'rw'] },
    ],
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      maskedPaths: ['/proc/kcore', '/proc/keys', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/sys'],
    },
  };
}
