import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import type { Mounted, Outcome } from './mounted.ts';
import { publicCopy } from './public-copy.ts';

const COMMAND_LIMIT_MS = 20_000;

/** A user made for the test, as useradd(8) makes one, in a tree of root's. */
export interface TreeUser {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  /** A script by sh in the mount point, without privileges; `nsdir` is a program in it if that was asked for. */
  sh(script: string): Promise<Outcome>;
  /** As `sh`; throws unless the status is 0. Gives what was printed, without the last newline. */
  ok(script: string): Promise<string>;
}

export interface TreeUsers extends AsyncDisposable {
  readonly users: readonly TreeUser[];
}

/** Makes users, and lets them to the mount point; removes them at the end. */
export async function usersOf(tree: Mounted, count: number, { commands = false } = {}): Promise<TreeUsers> {
  const base = mkdtempSync('/tmp/nsdir-users-');
  await execa('chmod', ['755', base, path.dirname(tree.dir)]);
  const bin = path.join(base, 'bin');
  const copy = commands ? await publicCopy() : undefined;
  mkdirSync(bin);
  if (copy) {
    const text = `#!/bin/sh\nexec "${process.execPath}" "${copy.nsdir}" "$@"\n`;
    writeFileSync(path.join(bin, 'nsdir'), text, { mode: 0o755 });
  }
  const users: TreeUser[] = [];
  for (let number = 0; number < count; number++) users.push(await makeUser(tree, base, bin, number));
  return {
    users,
    async [Symbol.asyncDispose]() {
      for (const { name } of users) await execa('userdel', ['--force', name]);
      rmSync(base, { recursive: true, force: true });
      await copy?.[Symbol.asyncDispose]();
    },
  };
}

async function makeUser(tree: Mounted, base: string, bin: string, number: number): Promise<TreeUser> {
  const name = `${path
    .basename(base)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, 'x')}-${number}`;
  const home = path.join(base, `home${number}`);
  await execa('useradd', ['--create-home', '--home-dir', home, '--shell', '/bin/sh', name]);
  const { stdout } = await execa('id', ['-u', name]);
  const environment = [
    `PATH=${bin}:/usr/bin:/bin:/usr/sbin:/sbin`,
    `HOME=${home}`,
    `NSDIR_MOUNT=${tree.dir}`,
    'LC_ALL=C',
  ];
  const as = [`--reuid=${name}`, `--regid=${name}`, '--init-groups', '--', 'env', '-i', ...environment];
  const sh = async (script: string): Promise<Outcome> => {
    const result = await execa('setpriv', [...as, 'sh', '-c', script], {
      cwd: tree.dir,
      reject: false,
      timeout: COMMAND_LIMIT_MS,
      killSignal: 'SIGKILL',
      stdin: 'ignore',
    });
    if (result.timedOut) throw new Error(`hung: ${script}\n${result.stdout}${result.stderr}`);
    return { status: result.exitCode ?? 255, stdout: result.stdout, stderr: result.stderr };
  };
  return {
    ...{ name, uid: Number(stdout), home, sh },
    async ok(script) {
      const { status, stdout: printed, stderr } = await sh(script);
      if (status !== 0) throw new Error(`status ${status} of: ${script}\n${printed}\n${stderr}`);
      return printed;
    },
  };
}
