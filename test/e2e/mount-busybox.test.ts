import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';
import { scratch } from '../support/scratch.ts';

/** Of a busybox that has it, the lock has no `--timeout`. Debian's has no flock. */
const FLOCK = `#!/bin/sh
case $1 in -*) echo "flock: unrecognized option '$1'" >&2; exit 1 ;; esac
exec /usr/bin/flock "$@"
`;

it('mounts, runs and unmounts where all tools are those of busybox', async () => {
  using disk = scratch();
  const tools = disk.at('bin');
  mkdirSync(tools);
  const { stdout: applets } = await execa('busybox', ['--list']);
  const { stdout: busybox } = await execa('sh', ['-c', 'command -v busybox']);
  for (const applet of applets.split('\n')) symlinkSync(busybox, path.join(tools, applet));
  writeFileSync(path.join(tools, 'flock'), FLOCK, { mode: 0o755 });

  const { PATH: before } = process.env;
  process.env['PATH'] = tools;
  try {
    await using tree = await mounted();
    expect(await tree.ok('mkdir web && echo running >web/.state && cat web/.state')).toBe('running');
    expect(await tree.nsdir('run', 'web', '--', 'hostname')).toMatchObject({ status: 0, stdout: 'web' });
  } finally {
    process.env['PATH'] = before;
  }
});
