import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { run } from './command.ts';
import type { Helpers } from './helpers.ts';

const SHORT_MS = 20_000;
const SIGTERM = 15;
const SIGKILL = 9;

/** Containers in a row of one contender before it is the next one's turn. */
export const BATCH = 4;

/** What makes a container beside us. One more peer is one more row of `containerPeers`. */
export interface ContainerPeer {
  readonly name: string;
  /** The program, whose absence is the message. */
  readonly program: string;
  /** Steps of c/cycle.c. */
  readonly steps: readonly string[];
  /** What ends a `--run`. */
  readonly signal: number;
  /** Nobody was asked to beat it. */
  readonly forInformation?: true;
  readonly note: string;
  readonly prepare?: () => Promise<void>;
  /** Commands that end what a failed round may have left. */
  readonly leftovers?: readonly (readonly string[])[];
}

/** Where peers keep what they need: below the run's own directory. */
export interface Places {
  readonly rootfs: string;
  readonly scratch: string;
}

/** A root of one static program (and busybox): what the peers run costs them next to nothing. */
export async function makeRootfs({ payload, quick }: Helpers, rootfs: string): Promise<void> {
  for (const name of ['bin', 'dev', 'etc', 'proc', 'root', 'run', 'sys', 'tmp', 'usr', 'var']) {
    await mkdir(path.join(rootfs, name), { recursive: true });
  }
  await copyFile(payload, path.join(rootfs, 'payload'));
  await copyFile(quick, path.join(rootfs, 'quick'));
  const busybox = (await run('sh', ['-c', 'command -v busybox'], SHORT_MS)).trim();
  await copyFile(busybox, path.join(rootfs, 'bin/sh'));
  writeFileSync(path.join(rootfs, 'etc/os-release'), 'ID=bench\n');
}

export function containerPeers({ rootfs, scratch }: Places): ContainerPeer[] {
  const lxcDir = path.join(scratch, 'lxc');
  const lxcConfig = path.join(scratch, 'lxc.conf');
  const lxcName = ['-P', lxcDir, '-n', 'bench@'];
  const lxcStart = [...lxcName, '-f', lxcConfig, '--', '/payload'];
  const lxcStop = ['--stop', 'lxc-stop', ...lxcName, '-k'];
  const lxcLeftovers = NUMBERS.map((number) => ['lxc-stop', '-P', lxcDir, '-k', '-n', `bench${number}`]);
  const prepareLxc = async () => {
    await mkdir(lxcDir, { recursive: true });
    writeFileSync(lxcConfig, LXC_CONFIG.replace('ROOTFS', rootfs));
  };
  const runc = ['runc', '--root', path.join(scratch, 'runc')];
  const bundle = path.join(scratch, 'bundle');
  const podman = podmanIn(scratch);
  const bwrapRest = ['--die-with-parent', '--ro-bind', rootfs, '/', '--proc', '/proc', '--dev', '/dev', '/payload'];
  const bwrapKinds = ['--unshare-ipc', '--unshare-pid', '--unshare-uts', '--unshare-cgroup-try'];
  return [
    {
      name: 'bwrap --unshare-all',
      program: 'bwrap',
      steps: ['--run', 'bwrap', '--unshare-all', ...bwrapRest],
      signal: SIGKILL,
      note: 'with user and net namespaces; --die-with-parent, so that SIGKILL to it kills all',
    },
    {
      name: 'bwrap, without net and user',
      program: 'bwrap',
      steps: ['--run', 'bwrap', ...bwrapKinds, ...bwrapRest],
      signal: SIGKILL,
      note: 'the kinds of namespace ours has; no cgroup',
    },
    {
      name: 'lxc-execute',
      program: 'lxc-execute',
      steps: ['--run', 'lxc-execute', ...lxcStart, ...lxcStop],
      signal: SIGKILL,
      prepare: prepareLxc,
      leftovers: lxcLeftovers,
      note: 'no net; killed by lxc-stop -k',
    },
    {
      name: 'lxc-execute -d',
      program: 'lxc-execute',
      steps: ['--start', 'lxc-execute', '-d', ...lxcStart, ...lxcStop],
      signal: SIGKILL,
      prepare: prepareLxc,
      leftovers: lxcLeftovers,
      note: 'the same, in the background',
    },
    {
      name: 'lxc-start -d',
      program: 'lxc-start',
      steps: ['--start', 'lxc-start', '-d', ...lxcStart, ...lxcStop],
      signal: SIGKILL,
      prepare: prepareLxc,
      leftovers: lxcLeftovers,
      note: 'no net; killed by lxc-stop -k',
    },
    {
      name: 'runc run -d',
      program: 'runc',
      steps: ['--start', ...runc, 'run', '-d', '-b', bundle, 'bench@', '--stop', ...runc, 'delete', '-f', 'bench@'],
      signal: SIGKILL,
      prepare: () => makeBundle(bundle, rootfs),
      leftovers: NUMBERS.map((number) => [...runc, 'delete', '-f', `bench${number}`]),
      note: 'its own spec, no net; delete -f',
    },
    {
      name: 'podman run -d --rootfs',
      program: 'podman',
      steps: [
        ...['--start', ...podman, 'run', '-d', '--network', 'host', ...PODMAN_ULIMITS, '--name', 'bench@'],
        ...['--rootfs', rootfs, '/payload', '--stop', ...podman, 'rm', '-f', '-t', '0', 'bench@'],
      ],
      signal: SIGKILL,
      leftovers: [[...podman, 'rm', '-a', '-f', '-t', '0']],
      note: 'with runc, no net; rm -f -t 0',
    },
    {
      name: 'systemd-nspawn',
      program: 'systemd-nspawn',
      steps: [
        ...['--run', 'systemd-nspawn', '-q', '--register=no', '--keep-unit', '--console=pipe'],
        ...['-D', rootfs, '-M', 'bench@', '/payload'],
      ],
      signal: SIGTERM,
      note: 'no net, not registered; ended by SIGTERM, at which it kills',
    },
    {
      name: 'unshare',
      program: 'unshare',
      steps: [
        ...['--run', 'unshare', '--fork', '--pid', '--mount', '--uts', '--ipc', '--cgroup', '--mount-proc'],
        ...['--kill-child', path.join(rootfs, 'payload')],
      ],
      signal: SIGKILL,
      forInformation: true,
      note: 'bare namespaces: no root of its own, no cgroup, no name',
    },
  ];
}

/** What runs a program in a container that runs, beside us. */
export interface EnterPeer extends Pick<ContainerPeer, 'name' | 'program' | 'note' | 'prepare' | 'leftovers'> {
  readonly command: readonly string[];
}

/** `init` is the `/proc/PID` of one of our containers. */
export function enterPeers({ rootfs, scratch, init }: Places & { readonly init: string }): EnterPeer[] {
  const lxcDir = path.join(scratch, 'lxc');
  const lxcConfig = path.join(scratch, 'lxc.conf');
  const lxcName = ['-P', lxcDir, '-n', 'bench9'];
  const runc = ['runc', '--root', path.join(scratch, 'runc')];
  const bundle = path.join(scratch, 'enter-bundle');
  const podman = podmanIn(scratch);
  const [runcProgram = '', ...runcRest] = runc;
  const [podmanProgram = '', ...podmanRest] = podman;
  return [
    {
      name: 'nsenter',
      program: 'nsenter',
      command: ['nsenter', '--all', '--target', path.basename(init), 'true'],
      note: 'into the same container; no cgroup',
    },
    {
      name: 'lxc-attach',
      program: 'lxc-attach',
      prepare: async () => {
        await mkdir(lxcDir, { recursive: true });
        writeFileSync(lxcConfig, LXC_CONFIG.replace('ROOTFS', rootfs));
        await run('lxc-start', [...lxcName, '-d', '-f', lxcConfig, '--', '/payload'], SHORT_MS);
      },
      command: ['lxc-attach', ...lxcName, '--', '/quick'],
      leftovers: [['lxc-stop', ...lxcName, '-k']],
      note: '',
    },
    {
      name: 'runc exec',
      program: 'runc',
      prepare: async () => {
        await makeBundle(bundle, rootfs);
        // In the background it would keep the pipe that its output is read from.
        await run('sh', ['-c', '"$@" > /dev/null 2>&1', 'sh', ...runc, 'run', '-d', '-b', bundle, 'bench9'], SHORT_MS);
      },
      command: [...runc, 'exec', 'bench9', '/quick'],
      leftovers: [[runcProgram, ...runcRest, 'delete', '-f', 'bench9']],
      note: '',
    },
    {
      name: 'podman exec',
      program: 'podman',
      prepare: async () => {
        const start = [
          'run',
          '-d',
          '--network',
          'host',
          ...PODMAN_ULIMITS,
          '--name',
          'bench9',
          '--rootfs',
          rootfs,
          '/payload',
        ];
        await run(podmanProgram, [...podmanRest, ...start], SHORT_MS);
      },
      command: [...podman, 'exec', 'bench9', '/quick'],
      leftovers: [[podmanProgram, ...podmanRest, 'rm', '-a', '-f', '-t', '0']],
      note: 'with runc',
    },
  ];
}

function podmanIn(scratch: string): string[] {
  const directory = path.join(scratch, 'podman');
  return [
    ...['podman', '--root', `${directory}/root`, '--runroot', `${directory}/run`, '--tmpdir', `${directory}/tmp`],
    ...['--cgroup-manager', 'cgroupfs', '--runtime', 'runc', '--events-backend', 'none'],
  ];
}

/** Of the containers of one batch. */
const NUMBERS = [...Array(BATCH).keys()];

/** Its own choice of limits needs CAP_SYS_RESOURCE, which not every machine gives. */
const PODMAN_ULIMITS = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096'];

const LXC_CONFIG = `lxc.rootfs.path = dir:ROOTFS
lxc.uts.name = bench
lxc.net.0.type = none
lxc.apparmor.profile = unconfined
lxc.mount.auto = proc:rw sys:ro
`;

interface OciSpec {
  process: { terminal: boolean; args: string[] };
  root: { path: string; readonly: boolean };
  linux: { namespaces: { type: string }[] };
}

async function makeBundle(bundle: string, rootfs: string): Promise<void> {
  mkdirSync(bundle, { recursive: true });
  await run('runc', ['spec', '-b', bundle], SHORT_MS);
  const file = path.join(bundle, 'config.json');
  const spec = JSON.parse(readFileSync(file, 'utf8')) as OciSpec;
  spec.process = { ...spec.process, terminal: false, args: ['/payload'] };
  spec.root = { path: rootfs, readonly: true };
  spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network');
  writeFileSync(file, JSON.stringify(spec));
}

/** Cgroups that peers leave behind at the top of every hierarchy. */
const LEFT_BEHIND = /^(lxc\.pivot|lxc\.(payload|monitor)\.bench.*|payload|supervisor|libpod_parent|bench\d+)$/;

/** Those there now; `removeCgroupsBut` takes away what came since. */
export async function peerCgroups(): Promise<string[]> {
  const hierarchies = [
    ...readFileSync('/proc/self/mountinfo', 'utf8').matchAll(/^\S+ \S+ \S+ \S+ (\S+).* - cgroup2? /gm),
  ];
  const found: string[] = [];
  for (const [, hierarchy = ''] of hierarchies) {
    const names = await readdir(hierarchy);
    found.push(...names.filter((name) => LEFT_BEHIND.test(name)).map((name) => path.join(hierarchy, name)));
  }
  return found;
}

export async function removeCgroupsBut(known: readonly string[]): Promise<void> {
  for (const cgroup of await peerCgroups()) if (!known.includes(cgroup)) await removeCgroup(cgroup);
}

/** As far as it can be: one that has processes is not ours to end. */
async function removeCgroup(cgroup: string): Promise<void> {
  for (const entry of await readdir(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(path.join(cgroup, entry.name));
  }
  try {
    rmdirSync(cgroup);
  } catch (error) {
    process.stderr.write(`bench: cannot remove ${cgroup}: ${String(error)}\n`);
  }
}
