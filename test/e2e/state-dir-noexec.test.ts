import path from 'node:path';
import { chmodSync, mkdirSync } from 'node:fs';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';
import { scratch } from '../support/scratch.ts';

it('starts containers where nothing may be executed in the directory of its state, for root and for others', async () => {
  using disk = scratch();
  const state = disk.at('state');
  mkdirSync(state);
  chmodSync(disk.at('.'), 0o711);
  await execa('mount', ['-t', 'tmpfs', '-o', 'noexec,nosuid,nodev,mode=755', 'tmpfs', state]);
  try {
    await using tree = await mounted('--state-dir', path.join(state, 'tree'));
    expect(await tree.ok('mkdir web && echo running >web/.state && cat web/.state')).toBe('running');
    expect(await tree.nsdir('run', 'web', '--', 'hostname')).toEqual({ status: 0, stdout: 'web', stderr: '' });
    // Only an init that runs from a file in its own tree can be saved.
    expect(await tree.ok('readlink "$(readlink web/.init)/exe"')).toBe('/dev/.nsdir/nsdir-init');

    await tree.ok('chmod 711 .. && mkdir theirs && chown 65534:65534 theirs');
    expect(await tree.as(65534, 'echo running >theirs/.state && cat theirs/.state')).toMatchObject({
      stdout: 'running',
    });
  } finally {
    await execa('umount', ['--lazy', state], { reject: false });
  }
});
