import { mkdtempSync, readdirSync, readFileSync, rmSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { cgroup2MountPoint, eventually, type Outcome } from './mounted.ts';
import { publicCopy } from './public-copy.ts';

const COMMAND_LIMIT_MS = 40_000;

/** A user made for the test, with a home and what useradd(8) gives, who has no privileges. */
export interface OrdinaryUser extends AsyncDisposable {
  readonly name: string;
  readonly home: string;
  /** Where he mounts his tree. */
  readonly tree: string;
  /** A script by sh, as on a terminal of his own; `nsdir` is a program in it, and NSDIR_MOUNT is `tree`. */
  sh(script: string): Promise<Outcome>;
  /** As `sh`; throws unless the status is 0. Gives what was printed, without the last newline. */
  ok(script: string): Promise<string>;
}

export interface UserOptions {
  /** Whether he starts in a cgroup that was handed to him. */
  readonly ownCgroup?: boolean;
}

export async function ordinaryUser({ ownCgroup = false }: UserOptions = {}): Promise<OrdinaryUser> {
  const copy = await publicCopy();
  const base = mkdtempSync('/tmp/nsdir-user-');
  const name = path
    .basename(base)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, 'x');
  const home = path.join(base, 'home');
  const tree = path.join(home, 'ns');
  await execa('chmod', ['755', base]);
  await execa('useradd', ['--create-home', '--home-dir', home, '--shell', '/bin/sh', name]);
  const bin = path.join(base, 'bin');
  mkdirSync(bin);
  await execa('sh', [
    '-c',
    `printf '#!/bin/sh\\nexec "%s" "%s" "$@"\\n' '${process.execPath}' '${copy.nsdir}' > '${bin}/nsdir'; chmod 755 '${bin}/nsdir'`,
  ]);
  const cgroup = path.join(cgroup2MountPoint(), name);
  if (ownCgroup) {
    mkdirSync(cgroup);
    await execa('chown', ['-R', name, cgroup]);
  }
  const run = process.env['NSDIR_TEST_RUN'];
  const environment = [
    `PATH=${bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
    ...[`HOME=${home}`, `NSDIR_MOUNT=${tree}`, 'LC_ALL=C'],
    ...(run === undefined ? [] : [`NSDIR_TEST_RUN=${run}`]),
  ];
  const join = ownCgroup ? `echo 0 > ${cgroup}/cgroup.procs; ` : '';
  const start = `${join}exec setpriv --reuid=${name} --regid=${name} --init-groups env -i "$@"`;
  const sh = async (script: string): Promise<Outcome> => {
    const args = ['-c', start, 'sh', ...environment, 'sh', '-c', script];
    const options = {
      cwd: home,
      reject: false,
      timeout: COMMAND_LIMIT_MS,
      killSignal: 'SIGKILL',
      stdin: 'ignore',
    } as const;
    const result = await execa('sh', args, options);
    if (result.timedOut) throw new Error(`hung: ${script}\n${result.stdout}${result.stderr}`);
    return { status: result.exitCode ?? 255, stdout: result.stdout, stderr: result.stderr };
  };
  return {
    ...{ name, home, tree, sh },
    async ok(script) {
      const { status, stdout, stderr } = await sh(script);
      if (status !== 0) throw new Error(`status ${status} of: ${script}\n${stdout}\n${stderr}`);
      return stdout;
    },
    async [Symbol.asyncDispose]() {
      const mounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${tree} `);
      const { status, stderr } = mounted ? await sh('nsdir umount --kill --lazy') : { status: 0, stderr: '' };
      if (status !== 0) throw new Error(`cannot unmount: ${stderr}`);
      if (ownCgroup) {
        await eventually(
          () => !/populated 1/.test(readFileSync(`${cgroup}/cgroup.events`, 'utf8')),
          'his cgroup is empty',
        );
        for (const inner of readdirSync(cgroup, { withFileTypes: true })) {
          if (inner.isDirectory())
            await execa('find', [path.join(cgroup, inner.name), '-depth', '-type', 'd', '-delete']);
        }
        await execa('rmdir', [cgroup]);
      }
      await execa('userdel', ['--force', name]);
      rmSync(base, { recursive: true, force: true });
      await copy[Symbol.asyncDispose]();
    },
  };
}
