import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { discovering, shown, unshared } from '../support/found.ts';
import { isAlive } from '../support/mounted.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const UNIT = path.join(ROOT, 'scripts/nsdir.service');
/** What systemd itself gives a shutdown in vain is 90 s: one that waits for our containers takes that. */
const BOOT_LIMIT_MS = 60_000;

/** Runs as a service of the machine that is booted, after ours. */
const CHECK = `
state() { cat /namespaces/web/.state; }
systemctl is-active nsdir
mkdir /namespaces/web && echo running > /namespaces/web/.state && state
init=$(readlink /namespaces/web/.init)
echo restart
systemctl restart nsdir; systemctl is-active nsdir; state
echo daemon killed
kill -KILL "$(cat /run/nsdir/namespaces/daemon.pid)"; state
echo both killed
kill -KILL "$(cat /run/nsdir/namespaces/supervise.pid)" "$(cat /run/nsdir/namespaces/daemon.pid)"
for i in $(seq 100); do state 2>/dev/null && break; sleep 0.1; done
# The tree answers before its start is over for systemd.
for i in $(seq 100); do systemctl -q is-active nsdir && break; sleep 0.1; done; systemctl is-active nsdir
echo stop
systemctl stop nsdir; systemctl is-active nsdir; ls /namespaces
echo start
systemctl start nsdir; systemctl is-active nsdir; state
[ "$init" = "$(readlink /namespaces/web/.init)" ] && echo the same init
`;

const EXPECTED = `active
running
restart
active
running
daemon killed
running
both killed
running
active
stop
inactive
start
active
running
the same init
`;

const CHECK_UNIT = `[Unit]
After=nsdir.service
Wants=nsdir.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c '. /out/check >/out/log 2>&1'
ExecStopPost=-/bin/sh -c 'journalctl --no-pager -o cat -u nsdir >/out/journal'
ExecStopPost=/bin/systemctl poweroff --no-block
`;

const CHECK_TARGET = `[Unit]
Requires=basic.target check.service
After=basic.target
`;

let base: string;
/** A cgroup of our own in each hierarchy that systemd uses: the machine's are made below it. */
let cgroups: string[];
beforeAll(() => {
  base = mkdtempSync('/var/tmp/nsdir-boot-');
  const hierarchies = readFileSync('/proc/self/mountinfo', 'utf8').matchAll(
    /^\S+ \S+ \S+ \/ (\S+) .* - (?:cgroup2 .*|cgroup .*name=systemd.*)$/gm,
  );
  cgroups = [...hierarchies].map(([, hierarchy = '']) => path.join(hierarchy, path.basename(base)));
  for (const cgroup of cgroups) mkdirSync(cgroup);
  makeTree();
});
afterAll(async () => {
  for (const cgroup of cgroups) await removeCgroup(cgroup);
  rmSync(base, { recursive: true, force: true });
});

async function removeCgroup(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(path.join(directory, entry.name));
  }
  await rmdir(directory);
}

/** A machine of little more than this one's programs. */
function makeTree(): void {
  const at = (name: string) => path.join(base, 'tree', name);
  for (const name of ['etc/systemd/system', 'usr', 'opt/nsdir', 'var', 'tmp', 'root', 'run', 'proc', 'sys', 'dev']) {
    mkdirSync(at(name), { recursive: true });
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, at(name));
  writeFileSync(at('etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(at('etc/group'), 'root:x:0:\n');
  writeFileSync(at('etc/machine-id'), '');
  writeFileSync(at('etc/os-release'), 'ID=test\n');
  writeFileSync(at('etc/systemd/system/nsdir.service'), readFileSync(UNIT));
  writeFileSync(at('etc/systemd/system/check.service'), CHECK_UNIT);
  writeFileSync(at('etc/systemd/system/check.target'), CHECK_TARGET);
  for (const name of ['bin', 'out']) mkdirSync(path.join(base, name));
  symlinkSync('/opt/nsdir/dist/src/cli/main.js', path.join(base, 'bin/nsdir'));
  closeSync(openSync(path.join(base, 'bin/node'), 'w', 0o755));
  writeFileSync(path.join(base, 'out/check'), CHECK);
}

async function nspawn(...words: string[]): Promise<{ readonly status: number | undefined; readonly output: string }> {
  const machine = path.basename(base).replaceAll(/[^a-zA-Z0-9]/g, '');
  const { exitCode, all } = await execa(
    'sh',
    [
      ...[
        '-c',
        `for cgroup in ${cgroups.join(' ')}; do echo $$ > $cgroup/cgroup.procs; done; exec systemd-nspawn "$@"`,
        'sh',
      ],
      ...['--register=no', '--keep-unit', '--console=read-only', '--capability=all'],
      ...['-D', path.join(base, 'tree'), '-M', machine],
      ...['--bind-ro=/usr', `--bind=${base}/bin:/usr/local/bin`, `--bind-ro=${process.execPath}:/usr/local/bin/node`],
      ...[`--bind-ro=${ROOT}:/opt/nsdir`, `--bind=${base}/out:/out`, '--bind=/dev/fuse'],
      ...words,
    ],
    {
      all: true,
      reject: false,
      stdin: 'ignore',
      env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
      timeout: BOOT_LIMIT_MS,
    },
  );
  rmSync(`/run/systemd/nspawn/propagate/${machine}`, { recursive: true, force: true });
  return { status: exitCode, output: all };
}

test('systemd finds nothing to complain of in the unit', async () => {
  const { exitCode, all } = await execa('systemd-analyze', ['verify', UNIT], { all: true, reject: false });
  // It looks for the command, which is not installed here.
  expect([exitCode, all]).toEqual([0, '']);
});

test('a shutdown stops what was made here and leaves what others made to them', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--uts']);
  const found = await shown(tree, maker.pid);
  await tree.ok("mkdir -p 'my web/job' draft/task");
  await tree.ok('for at in \'my web\' draft/task; do echo running > "$at/.state"; done');
  const line = /^ExecStop=\/bin\/sh -c '(.*)'$/m.exec(readFileSync(UNIT, 'utf8'))?.[1] ?? 'exit 1';
  const stop = line.replaceAll('$$', '$').replaceAll('/namespaces', tree.dir).replace('exec nsdir', 'echo nsdir');
  const commands = 'systemctl() { echo stopping; };';
  expect(await tree.ok(`${commands} ${stop}`)).toBe(`nsdir umount --lazy ${tree.dir}`);
  expect(await tree.ok(`cat 'my web/.state' draft/task/.state ${found}/.state`)).toBe('stopped\nstopped\nrunning');
  expect(isAlive(maker.pid)).toBe(true);
});

test('a machine that is booted with the unit has its containers through restarts, deaths and stops, and shuts down', async ({
  skip,
}) => {
  const { status, output } = await nspawn('/bin/true');
  if (status !== 0) skip(`no machine can be booted here: ${output}`);
  const boot = await nspawn('-b', 'systemd.unit=check.target', 'systemd.log_target=console', 'systemd.show_status=1');
  const log = readFileSync(path.join(base, 'out/log'), 'utf8');
  expect(log, `${boot.output}\n${log}`).toBe(EXPECTED);
  expect(boot.status, boot.output).toBe(0);
}, 120_000);
