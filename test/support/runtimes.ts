import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What a tool makes a container with, and how to end it. `command` is run by sh in `dir`. */
export interface Runtime {
  readonly tool: string;
  /** How long what it starts sleeps is what it is known by. */
  readonly command: (name: string, seconds: number) => string;
  /** What its container is called. */
  readonly called: (name: string) => string | RegExp;
  /** Afterwards, whatever happened. */
  readonly cleanUp?: (name: string) => string;
}

const UNNAMED = /^unnamed[0-9]+(-[0-9]+)?$/;
const unnamed = () => UNNAMED;
const same = (name: string) => name;
const BUNDLE = (runtime: string) => (name: string, seconds: number) =>
  `./bundle ${seconds} > bundle.d/config.json && exec ${runtime} run --bundle bundle.d ${name}`;
const DELETE = (runtime: string) => (name: string) => `${runtime} delete --force ${name}`;
const PODMAN = (options: string) => (name: string, seconds: number) =>
  `exec podman --runtime runc --cgroup-manager cgroupfs ${options} run --rm --network none ` +
  `--ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --name ${name} --rootfs $PWD/root /bin/sleep ${seconds}`;
const PODMAN_RM = (name: string) => `podman --runtime runc --cgroup-manager cgroupfs rm --force --time 0 ${name}`;
const SLOW_HOOK =
  '{"version":"1.0.0","hook":{"path":"/bin/sleep","args":["sleep","0.7"]},"when":{"always":true},"stages":["prestart"]}';
const LXC_CONF = `printf 'lxc.rootfs.path = dir:%s\\nlxc.net.0.type = empty\\n' $PWD/root > conf && mkdir lxc`;
const LXC_STOP = (name: string) =>
  `lxc-stop -k -n ${name} -P $PWD/lxc; rmdir /sys/fs/cgroup/lxc.*.${name}* /sys/fs/cgroup/*/lxc.*.${name}*`;

/** Tools that make containers, each as it is used; all but the last at once in its own way. */
export const RUNTIMES: readonly Runtime[] = [
  {
    tool: 'bwrap',
    command: (_, seconds) => `exec bwrap --unshare-all --bind / / --proc /proc --dev /dev sleep ${seconds}`,
    called: unnamed,
  },
  {
    tool: 'lxc-start',
    command: (name, seconds) =>
      `${LXC_CONF} && echo 'lxc.init.cmd = /bin/sleep ${seconds}' >> conf && exec lxc-start -n ${name} -P $PWD/lxc -f conf -F`,
    called: same,
    cleanUp: LXC_STOP,
  },
  {
    tool: 'lxc-execute',
    command: (name, seconds) =>
      `${LXC_CONF} && exec lxc-execute -n ${name} -P $PWD/lxc -f conf -- /bin/sleep ${seconds}`,
    called: same,
    cleanUp: LXC_STOP,
  },
  { tool: 'runc', command: BUNDLE('runc'), called: unnamed, cleanUp: DELETE('runc') },
  {
    // It runs on a hybrid machine where it sees cgroup v2 alone; rules for devices need limits that not every root may raise.
    tool: 'crun',
    command: (name, seconds) =>
      `./bundle ${seconds} | sed '/"resources"/,/^\t\t}/d' > bundle.d/config.json && exec unshare --mount sh -c ` +
      `'mount --bind "$(findmnt -fnt cgroup2 -o TARGET)" /sys/fs/cgroup && exec crun run --bundle bundle.d ${name}'`,
    called: unnamed,
    cleanUp: DELETE('crun'),
  },
  { tool: 'podman', command: PODMAN(''), called: same, cleanUp: PODMAN_RM },
  {
    // A hook keeps `runc create` between the container and the conmon that knows its name.
    tool: 'podman with a slow hook',
    command: (name, seconds) =>
      `mkdir hooks && echo '${SLOW_HOOK}' > hooks/slow.json && ${PODMAN('--hooks-dir $PWD/hooks')(name, seconds)}`,
    called: same,
    cleanUp: PODMAN_RM,
  },
  {
    tool: 'systemd-nspawn',
    // It wants /run to be no disk.
    command: (_, seconds) =>
      `exec unshare --mount sh -c 'mount -t tmpfs run /run && exec systemd-nspawn -q --register=no --keep-unit -D root /bin/sleep ${seconds}'`,
    called: unnamed,
  },
  {
    tool: 'ip netns exec',
    command: (name, seconds) => `ip netns add ${name} && exec ip netns exec ${name} sleep ${seconds}`,
    called: unnamed,
    cleanUp: (name) => `ip netns delete ${name}`,
  },
  {
    tool: 'nsenter --net',
    command: (name, seconds) => `ip netns add ${name} && exec nsenter --net=/run/netns/${name} sleep ${seconds}`,
    called: unnamed,
    cleanUp: (name) => `ip netns delete ${name}`,
  },
  {
    tool: 'su with pam_namespace',
    // The machine's own stack is not touched: another one is mounted over it where nobody else sees.
    command: (_, seconds) =>
      `exec unshare --mount sh -c 'mount --bind pam/su /etc/pam.d/su && mount --bind pam/namespace.conf /etc/security/namespace.conf && exec su -s /bin/sh nobody -c "exec sleep ${seconds}"'`,
    called: unnamed,
  },
];

/** A directory with what the tools need: a root with busybox, a bundle's specification, a stack for PAM. */
export function workshop(): Disposable & { readonly dir: string } {
  const dir = mkdtempSync('/var/tmp/nsdir-workshop-');
  const root = path.join(dir, 'root');
  for (const name of ['bin', 'proc', 'dev', 'sys', 'tmp', 'etc', 'usr', 'run', 'var']) {
    mkdirSync(path.join(root, name), { recursive: true });
  }
  execFileSync('sh', ['-c', `cp --parents $(ldd /bin/busybox | grep -o '/[^ )]*') /bin/busybox '${root}'`]);
  for (const name of ['sh', 'sleep']) symlinkSync('busybox', path.join(root, 'bin', name));
  mkdirSync(path.join(dir, 'bundle.d'));
  const bundle = `#!/bin/sh
cd "$(mktemp -d -p '${dir}')" && runc spec && sed -e 's/"terminal": true/"terminal": false/' -e 's|"path": "rootfs"|"path": "${root}"|' \\
  -e "s|^\\(\\t*\\)\\"sh\\"|\\1\\"/bin/sleep\\", \\"$1\\"|" config.json
`;
  writeFileSync(path.join(dir, 'bundle'), bundle, { mode: 0o755 });
  mkdirSync(path.join(dir, 'instances'), { mode: 0 });
  chmodSync(path.join(dir, 'instances'), 0);
  mkdirSync(path.join(dir, 'pam'));
  const stack = [
    'auth sufficient pam_rootok.so',
    'account required pam_permit.so',
    'session required pam_namespace.so',
    'session required pam_permit.so',
  ];
  writeFileSync(path.join(dir, 'pam/su'), `${stack.join('\n')}\n`);
  writeFileSync(path.join(dir, 'pam/namespace.conf'), `/tmp ${dir}/instances/ user root\n`);
  return {
    dir,
    [Symbol.dispose]() {
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
